// Tests units: different spellings of one unit are equal, similar units are not.

#include "graticule/data/units.h"

#include <gtest/gtest.h>

#include <vector>

namespace graticule {
namespace {

const std::vector<std::vector<std::string>> one_a_line = {
    {"K", "kelvin", "Kelvin", "degK", " K ", "KELVIN"},
    {"degC", "C", "celsius", "Celsius", "degrees_C", "deg C", "degree_Celsius", "°C", "degrees Celsius"},
    {"m s-1", "m s**-1", "m/s", "m s^-1", "meter second-1", "m.s-1", "s-1 m", "metres / second", "m s**-1 "},
    {"Pa", "pascal", "Pascal"},
    {"hPa", "millibar", "hectopascals"},
    {"kg kg-1", "kg kg**-1", "kg/kg", "kg kg^-1"},
    {"g kg-1", "g/kg"},
    {"m2 s-2", "m**2 s**-2", "m^2/s^2", "m+2 s-2"},
    {"m2", "m**2"},
    {"W m-2", "W/m2", "W m**-2", "watt/metre^2"},
    {"J m-2", "J/m2"},
    {"J K-1 kg-1", "J/K/kg", "J kg-1 K-1"},
    {"%", "percent"},
    {"1", "(0 - 1)", "dimensionless", "", "  "},
    {"m", "metre"},
    {"mm", "millimetres"},
    {"m of water equivalent"},
    {"mmol"},
    {"Mmol"},
    {"0.01 m"},
    {"1e-3"},
    {"m/"},
    {"m s-"},
};

TEST(Units, AreTheSameInEverySpellingAndNoOther) {
  for (size_t i = 0; i < one_a_line.size(); ++i) {
    for (size_t j = 0; j < one_a_line.size(); ++j) {
      for (const auto& a : one_a_line[i]) {
        for (const auto& b : one_a_line[j])
          EXPECT_EQ(same_units(a, b), i == j) << "'" << a << "' '" << b << "'";
      }
    }
  }
}

}  // namespace
}  // namespace graticule
