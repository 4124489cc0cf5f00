// Tests the loader: batches, order, missing values, what a rank reads, and errors.
#include <ATen/ops/equal.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>

#include "graticule/data/loader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "graticule/data/random.h"
#include "tests/data/table_source.h"

namespace graticule {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// A data set with a constant and random sizes, and options that read all of it.
struct Case {
  std::shared_ptr<TableSource> source;
  Statistics statistics;
  LoaderOptions options;

  explicit Case(uint64_t seed, TokenMode mode = TokenMode::full, GridKind kind = GridKind::sphere) {
    Random random(seed);
    const std::vector<std::string> names = {"a", "b", "mask", "c"};
    const bool cells = kind == GridKind::cells;
    const int64_t rows = cells ? 20 + random.below(80) : 3 + random.below(8);
    const int64_t columns = cells ? 1 : 3 + random.below(9);
    const int64_t layers = kind == GridKind::volume ? 1 + random.below(5) : 1;
    source = std::make_shared<TableSource>(table_source(layers * rows, columns, names, 20, 6, seed));
    if (is_image(kind)) make_image(source->listing, kind, layers);
    if (cells) make_cells(source->listing, rows);
    source->listing.variables[2].constant = true;
    const TimeRange range = {source->listing.times[2], source->listing.times[17]};
    statistics = compute_statistics(*source, names, {6, 12}, range);
    options.variables = names;
    options.targets = {"a", "c"};
    options.lead_hours = {6, 12};
    options.range = range;
    options.batch = 1 + random.below(5);
    options.samples = {0, options.batch};
    options.grid = {mode, 4, rows, columns, 1 + random.below(4), 1, kind, layers};
    if (kind == GridKind::volume)
      options.grid.patch = {1 + random.below(3), 1 + random.below(3), 1 + random.below(4)};
    if (cells) set_cells(options.grid, source->listing.cells, 1 + random.below(7));
    options.tokens = {0, options.grid.tokens()};
    options.predict = random.below(2) == 0 ? Predict::difference : Predict::state;
    options.seed = seed;
    source->rows_read.clear();
  }
  // Each loader has its own copy of the source: its thread reads on.
  Loader loader(const LoaderOptions& chosen) const {
    return Loader(std::make_shared<TableSource>(*source), statistics, chosen);
  }
  Loader loader() const { return loader(options); }
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Loader, layouts_cut_one_and_the_same_batch) {
  for (uint64_t seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Case whole(seed, static_cast<TokenMode>(seed % 3), static_cast<GridKind>(seed / 3 % 4));
    if (seed % 2 == 1 && is_image(whole.options.grid.kind))
      --whole.options.grid.rows, --whole.options.grid.columns;  // crops
    whole.options.tokens = {0, whole.options.grid.tokens()};
    whole.options.grid.states = 1 + static_cast<int64_t>(seed) % 2;
    whole.options.steps = 1 + static_cast<int64_t>(seed / 2) % 3;
    Random random(seed, 1);
    const int64_t sequence = 1 + random.below(std::min<int64_t>(5, whole.options.grid.tokens())),
                  data = 1 + random.below(3);
    Loader one = whole.loader();
    std::vector<Batch> expected;
    for (int step = 0; step < 8; ++step) expected.push_back(one.next());
    for (int64_t d = 0; d < data; ++d) {
      for (int64_t s = 0; s < sequence; ++s) {
        LoaderOptions mine = whole.options;
        mine.samples = span_of(mine.batch, data, d);
        mine.tokens = span_of(mine.grid.tokens(), sequence, s);
        Loader part = whole.loader(mine);
        for (const Batch& batch : expected) {
          const Batch held = part.next();
          const auto cut = [&](const at::Tensor& x_BTKP) {
            return x_BTKP.narrow(0, mine.samples.begin, mine.samples.size())
                .narrow(1, mine.tokens.begin, mine.tokens.size());
          };
          EXPECT_TRUE(at::equal(held.input_BTKI, cut(batch.input_BTKI)));
          EXPECT_TRUE(at::equal(held.target_BTKP, cut(batch.target_BTKP)));
          EXPECT_TRUE(at::equal(held.weight_BTKP, cut(batch.weight_BTKP)));
          for (size_t k = 0; k < held.later.size(); ++k) {
            EXPECT_TRUE(at::equal(held.unit_BTKP, cut(batch.unit_BTKP)));
            EXPECT_TRUE(at::equal(held.later[k].given_BTKP, cut(batch.later[k].given_BTKP)));
            EXPECT_TRUE(at::equal(held.later[k].target_BTKP, cut(batch.later[k].target_BTKP)));
            EXPECT_TRUE(at::equal(held.later[k].weight_BTKP, cut(batch.later[k].weight_BTKP)));
          }
          EXPECT_TRUE(at::equal(held.lead_hours_B,
                                batch.lead_hours_B.narrow(0, mine.samples.begin, mine.samples.size())));
        }
      }
    }
  }
}

// Every value against the definition, through token_grid's numbering alone.
TEST(Loader, values_are_what_the_header_says) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Case c(seed, static_cast<TokenMode>(seed % 3), static_cast<GridKind>(seed / 3 % 4));
    const TokenGrid& grid = c.options.grid;
    const auto weights = area_weights(c.source->listing, grid);
    c.options.target_weights = {0.5, 3};
    c.options.grid.states = 1 + static_cast<int64_t>(seed / 3) % 3;
    c.options.steps = 1 + static_cast<int64_t>(seed / 2) % 2;
    Loader loader = c.loader();
    const Batch batch = loader.next();
    const auto input = batch.input_BTKI.accessor<float, 4>(), target = batch.target_BTKP.accessor<float, 4>();
    const auto weight = batch.weight_BTKP.accessor<float, 4>();
    for (int64_t b = 0; b < c.options.batch; ++b) {
      const int64_t now = (batch.times[static_cast<size_t>(b)] - c.source->listing.times[0]) / 21600;
      const int lead = static_cast<int>(batch.lead_hours_B[b].item<float>());
      for (int64_t token = 0; token < grid.tokens(); ++token) {
        for (int64_t k = 0; k < grid.variables_per_token(); ++k) {
          for (int64_t p = 0; p < grid.pixels(); ++p) {
            const auto place = grid.locate(token);
            const int64_t v = grid.mode == TokenMode::full ? place.variable : k;
            const std::string& name = c.options.variables[static_cast<size_t>(v)];
            const int64_t x = place.patch_column * grid.patch.columns + p % grid.patch.columns,
                          row = p / grid.patch.columns,
                          of_layer = place.patch_row * grid.patch.rows + row % grid.patch.rows,
                          z = place.patch_layer * grid.patch.layers + row / grid.patch.rows,
                          y = z * grid.rows + of_layer;
            const bool on = z < grid.layers && of_layer < grid.rows && x < grid.columns,
                       counted = on && (name == "a" || name == "c");
            const auto value = [&](int64_t t) {
              return c.source->values[name][static_cast<size_t>(
                  ((v == 2 ? 0 : t) * grid.lines() + y) * grid.columns + x)];
            };
            const VariableStatistics& of = c.statistics.of(name);
            const double later = counted ? value(now + lead / 6) : 0;
            const double expected = !counted ? 0
                                    : c.options.predict == Predict::state
                                        ? (later - of.mean) / of.deviation
                                        : (later - value(now)) / of.difference_deviation.at(lead);
            const auto normal = [&](int64_t t) { return (value(t) - of.mean) / of.deviation; };
            ASSERT_NEAR(input[b][token][k][p], on ? normal(now) : 0, 1e-5);
            for (int64_t n = 1; n < grid.states; ++n)
              ASSERT_NEAR(input[b][token][k][n * grid.pixels() + p], counted ? normal(now - n * lead / 6) : 0,
                          1e-5);
            ASSERT_NEAR(target[b][token][k][p], expected, 1e-5);
            ASSERT_NEAR(weight[b][token][k][p],
                        counted ? weights[static_cast<size_t>(y)] * (name == "a" ? 0.5 : 3) : 0, 1e-6);
            for (size_t s = 0; s < batch.later.size(); ++s) {
              const auto at = [&](const at::Tensor& x_BTKP) { return x_BTKP[b][token][k][p].item<double>(); };
              const LaterStep& step = batch.later[s];
              const int64_t begin = now + (static_cast<int64_t>(s) + 1) * lead / 6;
              const double unit =
                  c.options.predict == Predict::state ? of.deviation : of.difference_deviation.at(lead);
              ASSERT_NEAR(at(batch.unit_BTKP), counted ? unit / of.deviation : 0, 1e-6);
              ASSERT_NEAR(at(step.given_BTKP), on && !counted ? normal(begin) : 0, 1e-5);
              ASSERT_NEAR(at(step.target_BTKP), counted ? normal(begin + lead / 6) * of.deviation / unit : 0,
                          1e-4);
              ASSERT_EQ(at(step.weight_BTKP), weight[b][token][k][p]);
            }
          }
        }
      }
    }
    std::vector<int64_t> states;
    for (int64_t n = 0; n < grid.states; ++n)
      states.push_back((batch.times[0] - c.source->listing.times[0]) / 21600 -
                       n * static_cast<int64_t>(batch.lead_hours_B[0].item<float>()) / 6);
    const at::Tensor input_TKI = read_tokens(*c.source, c.statistics, c.options, states);
    EXPECT_TRUE(at::equal(input_TKI.nan_to_num(0), batch.input_BTKI[0]));
  }
}

TEST(Loader, an_epoch_holds_every_sample_once_and_skips_gaps) {
  Case c(3);
  c.options.lead_hours = {12};
  c.source->listing.times.erase(c.source->listing.times.begin() + 9);  // of indices 2 to 17
  Loader loader = c.loader();
  EXPECT_EQ(loader.samples_an_epoch(),
            16 - 2 - 2);  // neither the last two, nor the gap, nor the one before it by the lead
  std::set<int64_t> seen;
  std::vector<int64_t> order;
  while (static_cast<int64_t>(order.size()) < 2 * loader.samples_an_epoch()) {
    const Batch batch = loader.next();
    order.insert(order.end(), batch.times.begin(), batch.times.end());
  }
  const auto epoch = static_cast<int64_t>(loader.samples_an_epoch());
  seen.insert(order.begin(), order.begin() + epoch);
  EXPECT_EQ(static_cast<int64_t>(seen.size()), epoch);
  EXPECT_FALSE(seen.contains(978307200 + 9 * 21600));
  EXPECT_FALSE(seen.contains(978307200 + 7 * 21600));
  EXPECT_FALSE(
      std::equal(order.begin(), order.begin() + epoch, order.begin() + epoch));  // a new order each epoch
}

// Of the times 2 to 17, with leads of 6 and 12 hours.
TEST(Loader, no_sample_leaves_the_range) {
  Case c(3);
  c.options.grid.states = 3;
  EXPECT_EQ(c.loader().samples_an_epoch(), 16 - 4 - 2);
  c.options.steps = 2;
  EXPECT_EQ(c.loader().samples_an_epoch(), 16 - 4 - 4);
  c.options.grid.states = 4, c.options.steps = 5;
  const std::string message = message_of([&] { c.loader(); });
  for (const char* part : {"no time there has data 6, 12 hours later too, at all 5 steps of train.rollout",
                           "and every earlier state (data.history = 4)"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST(Loader, seek_gives_the_same_batches_as_reading_on) {
  const Case c(5);
  Loader loader = c.loader();
  for (int step = 0; step < 7; ++step) loader.next();
  const int64_t position = loader.position();
  EXPECT_EQ(position, 7 * c.options.batch);
  const Batch expected = loader.next();
  Loader resumed = c.loader();
  resumed.next();
  resumed.seek(position);
  const Batch batch = resumed.next();
  EXPECT_EQ(batch.sample_ids, expected.sample_ids);
  EXPECT_TRUE(at::equal(batch.input_BTKI, expected.input_BTKI));
  EXPECT_TRUE(at::equal(batch.target_BTKP, expected.target_BTKP));
  EXPECT_GE(loader.take_waited_seconds(), 0);
}

TEST(Loader, in_time_order_once_with_a_short_last_step) {
  Case c(6);
  c.options.shuffle = false;
  c.options.batch = 4;
  c.options.samples = {0, 4};
  Loader loader = c.loader();
  std::vector<int64_t> times;
  while (loader.position() < loader.samples_an_epoch()) {
    const Batch batch = loader.next();
    EXPECT_EQ(batch.input_BTKI.size(0), static_cast<int64_t>(batch.times.size()));
    times.insert(times.end(), batch.times.begin(), batch.times.end());
  }
  EXPECT_EQ(static_cast<int64_t>(times.size()), loader.samples_an_epoch());
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_NE(message_of([&] { loader.next(); }), "");
}

TEST(Loader, a_rank_reads_only_its_rows_and_variables) {
  Case c(7);
  c.options.grid = {TokenMode::full, 4, c.options.grid.rows, c.options.grid.columns, 2};
  c.options.batch = 1;
  c.options.samples = {0, 1};
  const int64_t places = c.options.grid.places(), columns = c.options.grid.patch_columns();
  c.options.tokens = {places + 1,
                      places + columns};  // of variable b, in the southernmost row of patches; b is no target
  c.options.shuffle = false;
  Loader loader(c.source, c.statistics, c.options);
  for (int step = 0; step < 3; ++step) loader.next();
  loader.seek(0);  // joins the thread: the count stands still
  EXPECT_EQ(c.source->rows_read.size(), 1u);
  EXPECT_LE(c.source->rows_read["b"], 2 * (3 + c.options.prefetch + 1));
}

TEST(Loader, missing_values_are_refused_or_count_nothing) {
  Case c(8, TokenMode::channels);
  for (int64_t t = 0; t < 20; ++t)
    c.source->values["a"][static_cast<size_t>(t * c.options.grid.rows * c.options.grid.columns)] = nan;
  const std::string message = message_of([&] { c.loader().next(); });
  for (const char* part : {"a at 2001-01-", " 1 missing values", "data.missing = \"mean\""}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
  c.options.missing = Missing::mean;
  Loader loader = c.loader();
  const Batch batch = loader.next();
  EXPECT_EQ(batch.input_BTKI[0][0][0][0].item<float>(), 0);
  EXPECT_EQ(batch.weight_BTKP[0][0][0][0].item<float>(), 0);
  EXPECT_GT(batch.weight_BTKP[0][0][3][0].item<float>(), 0);
  EXPECT_FALSE(at::isnan(batch.target_BTKP).any().item<bool>());
}

// Random holes in all variables, now and later: the model reads 0, and a target counts where it is known.
TEST(Loader, a_missing_input_is_the_mean_and_a_missing_target_counts_nothing) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Case c(seed, static_cast<TokenMode>(seed % 3));
    const Batch whole = c.loader().next();
    Random random(seed, 2);
    for (auto& [name, values] : c.source->values) {
      for (float& x : values) x = random.below(4) == 0 ? nan : x;
    }
    c.options.missing = Missing::mean;
    const Batch batch = c.loader().next();
    const TokenGrid& grid = c.options.grid;
    for (int64_t b = 0; b < c.options.batch; ++b) {
      const int64_t now = (batch.times[static_cast<size_t>(b)] - c.source->listing.times[0]) / 21600,
                    later = now + static_cast<int64_t>(batch.lead_hours_B[b].item<float>()) / 6;
      const auto known = [&](int64_t v, int64_t t) {  // as patches, true off the grid
        const auto field = c.source->values[c.options.variables[static_cast<size_t>(v)]].begin() +
                           (v == 2 ? 0 : t) * grid.rows * grid.columns;
        const std::vector<float> copy(field, field + grid.rows * grid.columns);
        const at::Tensor field_YX = at::tensor(copy).view({grid.rows, grid.columns});
        return to_patches(field_YX, {0, grid.rows}, grid, {0, grid.places()}).isnan().logical_not_();
      };
      const at::Tensor state_TKP = read_tokens(*c.source, c.statistics, c.options, {now});
      for (int64_t v = 0; v < grid.variables; ++v) {
        const auto part = [&](const at::Tensor& x_TKP) {
          return of_variable(x_TKP, grid, c.options.tokens, v);
        };
        const at::Tensor read = known(v, now), differs = c.options.predict == Predict::difference
                                                             ? read & known(v, later)
                                                             : known(v, later);
        EXPECT_TRUE(at::equal(part(batch.input_BTKI[b]), part(whole.input_BTKI[b]) * read));
        EXPECT_TRUE(at::equal(part(batch.target_BTKP[b]), part(whole.target_BTKP[b]) * differs));
        EXPECT_TRUE(at::equal(part(batch.weight_BTKP[b]), part(whole.weight_BTKP[b]) * differs));
        EXPECT_TRUE(at::equal(part(state_TKP).nan_to_num(0), part(batch.input_BTKI[b])));
        EXPECT_TRUE(part(state_TKP).isnan().masked_select(read.logical_not()).all().item<bool>());
      }
    }
  }
}

TEST(Loader, a_state_has_no_value_off_the_grid) {
  Case c(4, TokenMode::channels);
  c.options.grid.patch = c.options.grid.rows - 1;  // the upper patches hold one row
  c.options.tokens = {0, c.options.grid.tokens()};
  const at::Tensor state_TKP = read_tokens(*c.source, c.statistics, c.options, {3});
  EXPECT_EQ(state_TKP.isnan().logical_not().sum().item<int64_t>(),
            c.options.grid.variables * c.options.grid.rows * c.options.grid.columns);
}

TEST(Loader, an_infinite_value_is_refused_whatever_is_allowed) {
  Case c(8, TokenMode::channels);
  const auto size = static_cast<size_t>(c.options.grid.rows * c.options.grid.columns);
  for (size_t t = 0; t < 20; ++t) {
    c.source->values["a"][t * size] = nan;
    c.source->values["a"][t * size + 1] = -std::numeric_limits<float>::infinity();
  }
  for (const Missing missing : {Missing::mean, Missing::refuse}) {
    c.options.missing = missing;
    for (const std::string& message :
         {message_of([&] { c.loader().next(); }),
          message_of([&] { read_patches(*c.source, c.options, 0, 2); }),
          message_of([&] { read_tokens(*c.source, c.statistics, c.options, {2}); })}) {
      for (const char* part : {"a at 2001-01-", " has 1 infinite values of ", "write NaN in their place"}) {
        EXPECT_NE(message.find(part), std::string::npos) << message;
      }
    }
  }
}

TEST(Loader, samples_share_one_memory_of_weights_unless_a_value_is_missing) {
  Case c(8);
  c.options.missing = Missing::mean;
  c.options.batch = 3;
  c.options.samples = {0, 3};
  const int64_t values = c.options.grid.tokens() * c.options.grid.pixels();
  const auto weights_of_two = [&] {
    Loader loader = c.loader();
    const at::Tensor first = loader.next().weight_BTKP, second = loader.next().weight_BTKP;
    EXPECT_EQ(first.sizes(), second.sizes());
    return std::pair(first.data_ptr() == second.data_ptr(), first.storage().nbytes() / sizeof(float));
  };
  EXPECT_EQ(weights_of_two(), std::pair(true, static_cast<size_t>(values)));
  c.source->values["a"].assign(c.source->values["a"].size(), nan);
  EXPECT_EQ(weights_of_two(), std::pair(false, static_cast<size_t>(3 * values)));
}

TEST(Loader, an_error_of_the_thread_comes_out_of_every_next_and_destruction_is_clean) {
  Case c(9);
  c.source->values["a"].assign(c.source->values["a"].size(), nan);
  Loader loader = c.loader();
  EXPECT_NE(message_of([&] { loader.next(); }), "");
  EXPECT_NE(message_of([&] { loader.next(); }), "");
  const Case fine(10);
  { Loader unread = fine.loader(); }
  {
    Loader reading = fine.loader();
    reading.next();
  }
}

TEST(Loader, refuses_what_cannot_be_read) {
  const auto refusal = [](const std::function<void(Case&)>& change) {
    Case c(11);
    change(c);
    return message_of([&] { c.loader(); });
  };
  EXPECT_NE(refusal([](Case& c) { c.options.variables[0] = "aa"; }).find("aa"), std::string::npos);
  EXPECT_NE(refusal([](Case& c) { c.options.targets = {"mask2"}; }).find("mask"), std::string::npos);
  EXPECT_NE(refusal([](Case& c) {
              c.options.range = {0, 86400};
            }).find("2001-01-01T00:00:00"),
            std::string::npos);
  EXPECT_NE(refusal([](Case& c) { c.options.lead_hours = {5}; }).find("5 hours later"), std::string::npos);
  EXPECT_NE(refusal([](Case& c) { c.statistics.variables.erase("b"); }).find("b"), std::string::npos);
  EXPECT_NE(refusal([](Case& c) {
              c.options.predict = Predict::difference;
              c.statistics.variables["a"].difference_deviation.erase(6);
            }).find("6 hours"),
            std::string::npos);
}

TEST(Patches, round_trip_on_grids_that_the_patch_does_not_divide) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const TokenGrid grid{TokenMode::channels, 1, 1 + random.below(13), 1 + random.below(13),
                         1 + random.below(5)};
    const at::Tensor field_YX = at::randn({grid.rows, grid.columns});
    const at::Tensor patches_SP = to_patches(field_YX, {0, grid.rows}, grid, {0, grid.places()});
    EXPECT_TRUE(at::equal(from_patches(patches_SP, grid), field_YX)) << "seed " << seed;
    EXPECT_NEAR(patches_SP.square().sum().item<double>(), field_YX.square().sum().item<double>(), 1e-3);
    const Span places = {random.below(grid.places()), grid.places()};
    const Span rows = {places.begin / grid.patch_columns() * grid.patch.rows, grid.rows};
    EXPECT_TRUE(at::equal(to_patches(field_YX.narrow(0, rows.begin, rows.size()), rows, grid, places),
                          patches_SP.narrow(0, places.begin, places.size())));
  }
}

TEST(LatitudeWeights, follow_the_rule_of_cell_areas) {
  const auto poles = latitude_weights({-90, -45, 0, 45, 90});  // edges -90, -67.5, -22.5, 22.5, 67.5, 90
  EXPECT_NEAR(poles[0], (1 - std::sin(67.5 * M_PI / 180)) * 5 / 2, 1e-12);
  EXPECT_NEAR(poles[2], 2 * std::sin(22.5 * M_PI / 180) * 5 / 2, 1e-12);
  const auto region = latitude_weights({30, 40});  // edges 25, 35, 45
  EXPECT_NEAR(region[0] / region[1],
              (std::sin(35 * M_PI / 180) - std::sin(25 * M_PI / 180)) /
                  (std::sin(45 * M_PI / 180) - std::sin(35 * M_PI / 180)),
              1e-12);
  EXPECT_NEAR(region[0] + region[1], 2, 1e-12);
}

// On Gaussian latitudes the cell areas are the weights of the quadrature up to 0.1 %, but for the row at each
// pole, which is 6 % larger.
TEST(LatitudeWeights, agree_with_gaussian_quadrature) {
  constexpr int n = 64;
  std::vector<double> latitudes, quadrature;
  for (int i = 0; i < n; ++i) {
    double x = -std::cos(M_PI * (i + 0.75) / (n + 0.5)), slope = 0;
    for (int step = 0; step < 20; ++step) {  // Newton's method on the Legendre polynomial of degree n
      double p = 1, before = 0;
      for (int k = 1; k <= n; ++k) before = std::exchange(p, ((2 * k - 1) * x * p - (k - 1) * before) / k);
      slope = n * (x * p - before) / (x * x - 1);
      x -= p / slope;
    }
    latitudes.push_back(std::asin(x) * 180 / M_PI);
    quadrature.push_back(2 / ((1 - x * x) * slope * slope) * n / 2);  // mean 1
  }
  const auto weights = latitude_weights(latitudes);
  for (size_t y = 0; y < n; ++y)
    EXPECT_NEAR(weights[y] / quadrature[y], 1, y == 0 || y == n - 1 ? 0.06 : 1e-3) << y;
}

}  // namespace
}  // namespace graticule
