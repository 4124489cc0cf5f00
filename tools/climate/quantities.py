"""The scored quantities, with their variables and units, and the leads."""

SCORED = {
    "2 m temperature": (["2m_temperature"], "K"),
    "temperature 850 hPa": (["temperature@850"], "K"),
    "temperature 500 hPa": (["temperature@500"], "K"),
    "geopotential 500 hPa": (["geopotential@500"], "m²/s²"),
    "wind 850 hPa": (["u_component_of_wind@850", "v_component_of_wind@850"], "m/s"),
}
TEMPERATURES = list(SCORED)[:3]
# (lead of the forecast, lead of one step) in hours. If they are equal the forecast is direct, else a roll-out.
FORECASTS = [(6, 6), (24, 24), (72, 72), (24, 6), (72, 24)]


def kind_of(lead, step):
    return "direct" if lead == step else f"{lead // step} steps of {step} h"
