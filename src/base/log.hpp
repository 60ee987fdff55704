// Logging: one line per event, key=value, to standard error (systemd's journal keeps it).
//
// Threads: any. Secrets never go in here; callers log issuer, subject, jti and token hashes only.
#pragma once

#include "base/result.hpp"

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace berth::log {

enum class Level { debug, info, warning, error };

// One key=value pair of a line. A value with spaces, quotes or control bytes is written quoted.
struct Field {
    std::string_view key;
    std::string value;

    Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const char* v) : key(k), value(v) {}
    Field(std::string_view k, std::integral auto v) : key(k), value(std::to_string(v)) {}
};
using Fields = std::initializer_list<Field>;

void set_level(Level level);
// Opens `path` (again: after log rotation it is another file) and appends; "" = audit lines go to
// the ordinary log. Errors: unavailable; then nothing has changed.
Result<void> set_audit_file(const std::string& path);

// `event` is a fixed name in snake_case; what changes goes into fields.
void write(Level level, std::string_view event, Fields fields);
inline void debug(std::string_view event, Fields fields = {}) {
    write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
    write(Level::info, event, fields);
}
inline void warning(std::string_view event, Fields fields = {}) {
    write(Level::warning, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
    write(Level::error, event, fields);
}

// Who asked for what and what was decided: kept apart from the operational log.
void audit(std::string_view event, Fields fields);

}  // namespace berth::log
