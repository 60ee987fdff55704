// A configuration file that has been read: its values, where they stand, and what is wrong.
#pragma once

#include "config/config.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace berth::config {

struct Position {
    unsigned line = 0;
    unsigned column = 0;
};

// Where each key and table stands, by full name ("issuer[2].url"); the whole file is "".
class Places {
public:
    void set(const std::string& name, Position position) { positions_[name] = position; }
    bool has(std::string_view name) const { return positions_.contains(name); }
    // Of the thing itself, or else of the nearest table around it.
    Position of(std::string_view name) const;

private:
    std::map<std::string, Position, std::less<>> positions_;
};

struct Document {
    std::string file;
    Config config = {};
    Places places = {};
    std::vector<Problem> problems = {};

    void report(const std::string& key, std::string message);  // at the place of `key`
    // True when a problem of `key`, or of an element of it, has been reported.
    bool is_faulty(const std::string& key) const;
    void report_at(Position position, const std::string& key, std::string message);
};

// "issuer[2]": the name of the table or element at `index` (from 0) of a list.
std::string element_name(std::string_view list, std::size_t index);

// Reads text against the declarations: syntax, unknown and missing keys, types, single values.
Document read(std::string_view text, const std::string& file_name,
              const std::string& base_directory);

// Reports what is wrong between values.
void check(Document& document, const std::string& own_account);

}  // namespace berth::config
