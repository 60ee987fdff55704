// The TOML library without exceptions, and the reading of one value. Two sources include this.
#pragma once

#include "config/document.hpp"
#include "config/schema.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

#include <string>

namespace berth::config {

inline Position position_of(const toml::source_region& region) {
    return Position{.line = region.begin.line, .column = region.begin.column};
}

// Reads one value into its slot; what does not fit is reported and leaves the slot as it was.
class ValueReader {
public:
    ValueReader(Document& document, const Rule& rule, const std::string& base_directory)
        : document_(document), rule_(rule), base_directory_(base_directory) {}

    void read(const toml::node& node, const Slot& slot, const std::string& name);

private:
    void read_into(const toml::node& node, bool* value, const std::string& name);
    void read_into(const toml::node& node, unsigned* value, const std::string& name);
    void read_into(const toml::node& node, std::uint64_t* value, const std::string& name);
    void read_into(const toml::node& node, Seconds* value, const std::string& name);
    void read_into(const toml::node& node, std::string* value, const std::string& name);
    void read_into(const toml::node& node, Texts* value, const std::string& name);
    void read_into(const toml::node& node, Table* value, const std::string& name);

    void read_element(const toml::node& node, Texts& texts, const std::string& name);
    // Reports `fault` at `node` unless it is "".
    bool fits(const toml::node& node, const std::string& name, std::string fault);
    void wrong_type(const toml::node& node, const std::string& name, std::string_view wanted,
                    const std::string& advice);

    Document& document_;
    const Rule& rule_;
    const std::string& base_directory_;
};

}  // namespace berth::config
