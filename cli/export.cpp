#include <iostream>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/trained_run.h"
#include "graticule/train/aside_file.h"
#include "graticule/train/export.h"

namespace graticule {

void add_export(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("export", "Write a checkpoint's weights as one safetensors file");
  const auto checkpoint = std::make_shared<std::string>(), out = std::make_shared<std::string>();
  const auto raw = std::make_shared<bool>(false);
  add_checkpoint(*command, *checkpoint);
  command->add_option("out", *out, "The file to write, OUT.safetensors")->required();
  add_raw_weights(*command, *raw);
  command->callback([&action, checkpoint, out, raw] {
    action = [checkpoint, out, raw] {
      return run_alone([&] {
        refuse_unwritable(*out, "export", "OUT");
        const CheckpointInfo info = read_checkpoint_info(find_checkpoint(*checkpoint));
        export_weights(info, *out, taken_weights(*raw));
        std::cout << *out << " holds the weights of " << info.path
                  << " (docs/model.md says how to use them)\n";
        return 0;
      });
    };
  });
}

}  // namespace graticule
