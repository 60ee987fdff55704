// The manual and the example in the checkout are what the declarations make.
#include "unit/config/support.hpp"

#include "base/text.hpp"
#include "config/schema.hpp"

namespace berth::config {
namespace {

std::string in_checkout(const std::string& name) {
    return read_file(std::string(BERTH_CHECKOUT) + "/" + name).has_value()
               ? *read_file(std::string(BERTH_CHECKOUT) + "/" + name)
               : "(cannot be read)";
}

// The example with every commented key of a table that is there switched on.
std::string with_defaults_written(const std::string& text) {
    std::string result;
    bool is_shown_only = false;
    for (const auto line : split(text, '\n')) {
        const bool is_commented = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        if (line.starts_with('[') || line.starts_with("#["))
            is_shown_only = is_commented;
        result += std::string(is_commented && !is_shown_only ? line.substr(1) : line) + "\n";
    }
    return result;
}

// The defaults, with the values that the example has to set.
Config defaults_of_the_example(const std::string& folder) {
    Config config;
    config.api.certificate = folder + "/tls.crt";
    config.api.key = folder + "/tls.key";
    config.api.audience = {"https://ce.example.org:8443"};
    config.jobs.session_root = "/scratch/berth";
    config.issuers.push_back({.name = "example", .url = "https://tokens.example.org/"});
    config.mappings.push_back({.issuer = "example", .account = "grid1"});
    return config;
}

TEST_F(ConfigTest, TheManualInTheCheckoutIsCurrent) {
    EXPECT_EQ(in_checkout("docs/configuration.md"), manual())
        << "build the target berth-config-docs-update";
}

TEST_F(ConfigTest, TheExampleInTheCheckoutIsCurrent) {
    EXPECT_EQ(in_checkout("config/berth.toml"), example())
        << "build the target berth-config-docs-update";
}

TEST_F(ConfigTest, TheExampleHasNoProblemAndSetsNothingButWhatItMust) {
    const auto loaded = load(example());
    EXPECT_EQ(show(loaded), "");
    EXPECT_EQ(loaded.config, defaults_of_the_example(folder.path()));
}

TEST_F(ConfigTest, TheDefaultsThatTheExampleShowsAreTheDefaults) {
    const auto text = with_defaults_written(example());
    EXPECT_NE(text.find("\nsubmit_width = 8\n"), std::string::npos);
    const auto loaded = load(text);
    EXPECT_EQ(show(loaded), "");
    EXPECT_EQ(loaded.config, defaults_of_the_example(folder.path()));
}

TEST_F(ConfigTest, TheTablesThatTheExampleOnlyShowsAreRightToo) {
    const auto shown = example();
    std::string text;
    for (const auto line : split(shown, '\n'))
        text +=
            std::string(line.starts_with("#") && !line.starts_with("# ") ? line.substr(1) : line) +
            "\n";
    const auto loaded = load(text);
    EXPECT_EQ(show(loaded), "");
    EXPECT_EQ(loaded.config.queues.size(), 1U);
    EXPECT_EQ(loaded.config.bans.size(), 1U);
    EXPECT_EQ(loaded.config.site.reachable.size(), 1U);
}

TEST_F(ConfigTest, EveryKeyIsInTheManualAndHasAFullSentence) {
    const auto text = manual();
    for (const auto& section : all_sections())
        for (const auto& key : section.keys) {
            EXPECT_TRUE(key.sentence.ends_with('.')) << section.path << "." << key.name;
            EXPECT_EQ(key.sentence.find('|'), std::string_view::npos) << key.name;
            EXPECT_NE(text.find("| `" + std::string(key.name) + "` | "), std::string::npos)
                << key.name;
        }
}

TEST_F(ConfigTest, NoKeyIsDeclaredTwice) {
    for (const auto& section : all_sections())
        for (const auto& key : section.keys)
            EXPECT_EQ(std::ranges::count(section.keys, key.name, &Key::name), 1)
                << section.path << "." << key.name;
}

TEST_F(ConfigTest, NoTwoKeysFillTheSameField) {
    Config config;
    std::vector<const void*> fields;
    for (const auto& section : all_sections()) {
        void* const target = section.open(config);
        for (const auto& key : section.keys) {
            const auto slot = key.slot(target);
            const auto* field = std::visit([](auto* value) -> const void* { return value; }, slot);
            EXPECT_EQ(std::ranges::count(fields, field), 0) << section.path << "." << key.name;
            fields.push_back(field);
        }
    }
}

}  // namespace
}  // namespace berth::config
