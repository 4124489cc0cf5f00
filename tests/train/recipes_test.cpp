// Reads every recipe of recipes/, and tests that its name and comments are true: tokens, parameters, ranks.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "graticule/recipe/layout.h"
#include "graticule/train/build.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> recipes() {
  std::vector<fs::path> paths;
  for (const auto& entry :
       fs::directory_iterator(fs::path(__FILE__).parent_path().parent_path().parent_path() / "recipes"))
    paths.push_back(entry.path());
  return paths;
}

std::string text_of(const fs::path& path) {
  std::stringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

// "vit100m" of a name: 100 million.
double parameters_in(const std::string& name) {
  std::smatch found;
  if (!std::regex_search(name, found, std::regex("^vit(\\d+)([mb])_"))) return 0;
  return std::stod(found[1]) * (found[2] == "b" ? 1e9 : 1e6);
}

int64_t tokens_in(const std::string& name) {
  std::smatch found;
  return std::regex_search(name, found, std::regex("_(\\d+)_")) ? std::stoll(found[1]) : 0;
}

TEST(Recipes, AreWhatTheirNamesAndCommentsSay) {
  const auto paths = recipes();
  EXPECT_GE(paths.size(), 11U);
  for (const fs::path& path : paths) {
    const std::string name = path.filename().string(), content = text_of(path);
    SCOPED_TRACE(name);
    std::smatch ranks;
    ASSERT_TRUE(std::regex_search(content, ranks, std::regex("\n# ranks: (\\d+)\n")));
    const Options options = read_recipe(path.string());
    if (!options.data.path.starts_with("synthetic")) continue;  // the grid lies in files
    const Problem problem = define_problem(options);
    const Axes axes = resolve_axes(problem.options, std::stoi(ranks[1]), problem.shape);
    EXPECT_EQ(axes.world(), std::stoi(ranks[1]));
    EXPECT_EQ(problem.shape.grid.tokens(), tokens_in(name)) << "tokens";
    const auto count = static_cast<double>(parameters(problem.shape)), named = parameters_in(name);
    if (named > 0) {
      EXPECT_NEAR(count, named, named / 4);
    }
    std::smatch found;
    if (std::regex_search(content, found, std::regex("; ([0-9.]+)(B|M| thousand) parameters"))) {
      const double unit = found[2] == "B" ? 1e9 : found[2] == "M" ? 1e6 : 1e3;
      EXPECT_NEAR(count, std::stod(found[1]) * unit, 0.05 * count) << "the comment's parameters";
    }
    if (std::regex_search(content, found, std::regex("mpiexec -n (\\d+)"))) {
      EXPECT_EQ(found[1], ranks[1]);
    }
    EXPECT_EQ(options.run.out, "runs/" + path.stem().string());
    EXPECT_NE(content.find("recipes/" + name), std::string::npos) << "the command that starts it";
  }
}

}  // namespace
}  // namespace graticule
