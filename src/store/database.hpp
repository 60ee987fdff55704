// A thin layer over SQLite: connections and statements that clean up after themselves.
//
// Threads: a connection and its statements belong to one thread at a time.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace berth::store {

class Database;

// A prepared statement with its parameters and the current row. Bind in order, then step.
class Statement {
public:
    explicit Statement(sqlite3_stmt* handle, sqlite3* database)
        : handle_(handle), database_(database) {}
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement();  // resets; the statement stays prepared in its connection

    Statement& bind(std::string_view text);
    Statement& bind(std::int64_t number);
    Statement& bind(int number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind(unsigned number) { return bind(static_cast<std::int64_t>(number)); }
    Statement& bind_null();
    template <class Value>
    Statement& bind(const std::optional<Value>& value) {
        return value ? bind(*value) : bind_null();
    }

    // True when there is a row. Throws DatabaseError.
    bool step();
    // Runs to the end and resets, ready for the next parameters.
    void run();

    std::string text(int column) const;
    std::int64_t number(int column) const;
    bool is_null(int column) const;

private:
    sqlite3_stmt* handle_;
    sqlite3* database_;
    int next_ = 1;
};

// Thrown inside this room only; turned into an Error before it leaves.
struct DatabaseError {
    int code = 0;  // SQLite's extended result code
    std::string message;

    // The disk or the file is at fault, not the one statement: nothing can be written now.
    bool is_fatal() const;
    Error error() const;
};

class Database {
public:
    // Errors by exception. A read-only connection waits for nobody in WAL mode.
    Database(const std::string& path, bool read_only);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void execute(const std::string& sql);
    // The statement for `sql`, prepared once per connection.
    Statement prepare(const char* sql);
    std::int64_t last_insert_id() const;
    sqlite3* handle() { return handle_; }

private:
    sqlite3* handle_ = nullptr;
    std::map<std::string, sqlite3_stmt*, std::less<>> statements_;
};

}  // namespace berth::store
