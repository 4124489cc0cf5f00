// Runs the cases of group_cases.h with ranks as threads.
#include <gtest/gtest.h>

#include "tests/comm/group_cases.h"
#include "tests/ranks.h"

namespace graticule {
namespace {

class Threaded : public testing::TestWithParam<std::tuple<GroupCase, int>> {};

TEST_P(Threaded, Case) {
  const auto& [group_case, ranks] = GetParam();
  run_ranks(ranks, group_case.run);
}

std::string name_of_case(const testing::TestParamInfo<Threaded::ParamType>& info) {
  return text(std::get<0>(info.param).name, "On", std::get<1>(info.param));
}

const auto any_ranks = testing::Values(1, 2, 3, 4, 5, 8);
INSTANTIATE_TEST_SUITE_P(Group, Threaded, testing::Combine(testing::ValuesIn(group_cases()), any_ranks),
                         name_of_case);

}  // namespace
}  // namespace graticule
