// `graticule report` and `graticule watch`: the Python package draws the page, so this hands over to it.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/commands.h"
#include "cli/job.h"
#include "graticule/core/error.h"

namespace graticule {

namespace {

// Becomes `python -m graticule NAME ARGUMENTS...` with the Python and the package of the tree of this build.
int hand_over(const char* name, const std::vector<std::string>& arguments) {
  const std::string python = GRATICULE_TREE "/.venv/bin/python", package = GRATICULE_TREE "/python";
  for (const std::string& needed : {python, package + "/graticule/__main__.py"}) {
    if (!std::filesystem::exists(needed))
      refuse(name, needed,
             " is not there, and the page is drawn by Python: run `make setup` in " GRATICULE_TREE
             ", or `python -m graticule ",
             name, "` where the package is installed");
  }
  std::vector<std::string> words = {python, "-m", "graticule", name};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  setenv("PYTHONPATH", package.c_str(), 1);
  execv(python.c_str(), pointers.data());
  fail(name, python, " cannot be started: ", std::strerror(errno));
}

void add_page(CLI::App& app, Action& action, const char* name, const char* description) {
  auto* command = app.add_subcommand(name, description);
  command->set_help_flag();  // Python knows the options and prints their help
  command->prefix_command();
  command->callback([&action, command, name] {
    action = [name, arguments = command->remaining()] {
      return run_alone([&] { return hand_over(name, arguments); });
    };
  });
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  add_page(app, action, "report", "Write one HTML page about a run or several, to look at in a browser");
  add_page(app, action, "watch", "Show the page of a run in a browser while it trains");
}

}  // namespace graticule
