#include "base/text.hpp"
#include "config/schema.hpp"

namespace berth::config {

namespace {

constexpr std::size_t width = 100;

constexpr std::string_view introduction =
    "# The example configuration of Berth: every key, each with its default as a comment.\n"
    "#\n"
    "# What is not a comment has to be set for a gateway; the values here are examples.\n"
    "# Relative paths start at the folder of this file. docs/configuration.md is the manual,\n"
    "# and `berthd --config FILE --check-config` finds every problem.\n";

std::string as_comment(std::string_view sentence) {
    std::string text, line = "#";
    for (const auto word : split(sentence, ' ')) {
        if (line.size() + 1 + word.size() > width) {
            text += line + "\n";
            line = "#";
        }
        line += " " + std::string(word);
    }
    return text + line + "\n";
}

}  // namespace

std::string example() {
    std::string text(introduction);
    for (const auto& section : all_sections()) {
        const auto path = std::string(section.path);
        const std::string mark = section.in_example ? "" : "#";
        text += "\n" + as_comment(section.sentence) + mark;
        text += section.repeated ? "[[" + path + "]]\n" : "[" + path + "]\n";
        Config defaults;
        void* const target = section.open(defaults);
        for (const auto& key : section.keys) {
            const bool is_set = section.in_example && key.rule.needed != Needed::no;
            const bool has_example =
                !key.example.empty() && (!section.in_example || key.rule.needed != Needed::no);
            text += as_comment(key.sentence) + (is_set ? "" : "#") + std::string(key.name) + " = " +
                    (has_example ? std::string(key.example) : to_toml(key.slot(target))) + "\n";
        }
    }
    return text;
}

}  // namespace berth::config
