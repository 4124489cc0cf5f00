#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/trained_run.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/export.h"

namespace graticule {

void add_export(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("export", "Write a checkpoint's weights as one safetensors file");
  const auto choice = std::make_shared<TrainedRunChoice>();
  const auto out = std::make_shared<std::string>();
  add_trained_run(*command, *choice);
  command->add_option("out", *out, "The file to write, OUT.safetensors")->required();
  command->callback([&action, choice, out] {
    action = [choice, out] {
      return run_alone([&] {
        refuse_unwritable(*out, "export", "OUT");
        const CheckpointInfo info = read_checkpoint_info(find_checkpoint(choice->checkpoint));
        std::vector<std::string> notes;
        const Problem problem = trained_problem(info, *choice, 1, notes);
        for (const auto& note : notes) std::cerr << "note: " << note << std::endl;
        export_weights(info, problem, *out, taken_weights(choice->raw_weights));
        std::cout << *out << " holds the weights of " << info.path
                  << " (docs/model.md says how to use them)\n";
        return 0;
      });
    };
  });
}

}  // namespace graticule
