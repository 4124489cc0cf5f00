"""Tests NSF NCAR's ERA5: a file a variable and month (surface) or day (levels), in folders of months."""

import numpy as np
import pytest

from sky import sky, times
from test_axes import info

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_tree_of_months_is_one_data_set(tmp_path):
    data = sky(62 * 2)
    data = data.assign_coords(time=times(62 * 2, 12))
    data.time.encoding = {"units": "hours since 1900-01-01 00:00:00", "dtype": "i4", "calendar": "gregorian"}
    upper = data[["t2m"]].rename(t2m="T").expand_dims(level=[500.0, 850.0]).transpose("time", "level", ...)
    upper.level.attrs = {"units": "hPa"}
    for month, surface in data.groupby("time.month"):
        days = np.unique(surface.time.dt.day.values)
        for product in ("sfc", "pl"):
            (tmp_path / f"e5.oper.an.{product}" / f"2001{month:02}").mkdir(parents=True)
        last = f"2001{month:02}0100_2001{month:02}{days[-1]:02}23.nc"
        folder = tmp_path / "e5.oper.an.sfc" / f"2001{month:02}"
        surface[["msl"]].to_netcdf(folder / f"e5.oper.an.sfc.128_151_msl.ll025sc.{last}")
        surface[["t2m"]].rename(t2m="VAR_2T").to_netcdf(folder / f"e5.oper.an.sfc.128_167_2t.ll025sc.{last}")
        for day in days[:: len(days) - 1 or 1]:
            part = upper.sel(time=f"2001-{month:02}-{day:02}")
            span = f"2001{month:02}{day:02}00_2001{month:02}{day:02}23.nc"
            folder = tmp_path / "e5.oper.an.pl" / f"2001{month:02}"
            part.to_netcdf(folder / f"e5.oper.an.pl.128_130_t.ll025sc.{span}")
    assert info(tmp_path / "e5.oper.an.sfc")["times"]["count"] == 124
    told = info(tmp_path)
    assert len(told["names"]) == 4, told["names"]
    assert told["times"]["count"] < 124 and told["times"]["first"].startswith("2001-01-01")
