"""The scores of docs/scores.md in plain xarray, written from that page alone. Tests compare the program with them.

Fields are data arrays over time, latitude and longitude (in any order, with any further dims). NaN means no value.
`convention` is "wb2", "wb1" or "climax". All computation is in float64.
"""

import calendar

import numpy as np
import xarray as xr

GRID = ("latitude", "longitude")


def row_weights(latitude, convention):
    """Of each row, with mean 1: the area of its cells on a global grid (wb2), or the cosine of its latitude."""
    degrees = latitude.astype("float64")
    if convention == "wb2":
        rows = np.sort(degrees.values)
        edges = np.deg2rad(np.concatenate([[-90], (rows[:-1] + rows[1:]) / 2, [90]]))
        area = xr.DataArray(np.diff(np.sin(edges)), {"latitude": rows}, "latitude")
        weights = area.sel(latitude=degrees)
    else:
        weights = np.cos(np.deg2rad(degrees))
    return weights / weights.mean()


def mse_by_date(forecast, truth, convention):
    """The weighted mean over the grid of the squared error, at each time."""
    error = forecast.astype("float64") - truth.astype("float64")
    return (error**2).weighted(row_weights(truth["latitude"], convention)).mean(GRID)


def rmse(forecast, truth, convention):
    """Over all times: the root of the mean square, or for climax the mean of every time's root."""
    mse = mse_by_date(forecast, truth, convention)
    return np.sqrt(mse).mean("time") if convention == "climax" else np.sqrt(mse.mean("time"))


def anomalies(forecast, truth, climatology):
    """f' and o', both NaN where forecast, truth or climatology is."""
    usual = climatology.astype("float64")
    f, o = forecast.astype("float64") - usual, truth.astype("float64") - usual
    return f.where(o.notnull()), o.where(f.notnull())


def correlation(f, o, convention, dims):
    """<f o> / sqrt(<f^2> <o^2>) over these dims; NaN where one of the two is zero everywhere."""

    def weighted_sum(values):
        return values.weighted(row_weights(o["latitude"], convention)).sum(dims, skipna=True)

    return weighted_sum(f * o) / np.sqrt(weighted_sum(f * f) * weighted_sum(o * o))


def acc_by_date(forecast, truth, climatology, convention):
    """The correlation of anomalies at each time, not centred."""
    return correlation(*anomalies(forecast, truth, climatology), convention, GRID)


def acc(forecast, truth, climatology, convention):
    """Of all times: the mean of every time's correlation (wb2), or one ratio of sums (for wb1 of centred anomalies)."""
    if convention == "wb2":
        return acc_by_date(forecast, truth, climatology, convention).mean("time")
    dims = ("time", *GRID)
    f, o = anomalies(forecast, truth, climatology)
    if convention == "wb1":
        f, o = f - f.mean(dims), o - o.mean(dims)
    return correlation(f, o, convention, dims)


def time_mean(fields, times):
    """The climatology of wb1 and climax: the mean over time of the scored range, at every one of `times`."""
    return fields.astype("float64").mean("time").expand_dims(time=times)


def daily_climatology(training, times):
    """The climatology of wb2 at each of `times`, from the training fields: by day of year and hour.

    A year has 366 days; one that lacks its day 366 repeats its day 365. Within 30 days around the year, day d weighs
    1 - |d| / 30; all years weigh alike.
    """
    years = training["time"].dt.year
    by_hour = {}
    for hour in np.unique(times.dt.hour):
        of_hour = training.where(training["time"].dt.hour == hour, drop=True).astype("float64")
        by_day = []
        for year in np.unique(years):
            days = of_hour.sel(time=of_hour["time"].dt.year == year)
            days = days.assign_coords(time=days["time"].dt.dayofyear.values).reindex(time=np.arange(1, 367))
            if not calendar.isleap(year):
                days = xr.concat([days.sel(time=slice(1, 365)), days.sel(time=[365]).assign_coords(time=[366])], "time")
            by_day.append(days.rename(time="day"))
        by_hour[int(hour)] = xr.concat(by_day, "year")
    return xr.concat([around(by_hour[int(t.dt.hour)], int(t.dt.dayofyear)) for t in times], times)


def around(by_day, day):
    """The triangular mean over the days near this one and over years, of fields by year and day of year."""
    apart = abs(by_day["day"] - day)
    distance = np.minimum(apart, 366 - apart)
    near = distance.values < 30
    window = (1 - distance / 30).isel(day=near)
    return by_day.isel(day=near).weighted(window).mean(("year", "day"))
