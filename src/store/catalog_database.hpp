// SQLite for a file that somebody else made: nothing of it is believed. Its schema can name no
// function, view, trigger or virtual table that would run; a statement can do nothing but read
// the tables of a catalog; and every call has a limit of time and memory.
//
// Threads: one call at a time, on any thread.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace berth::store {

// How long may be spent inside of SQLite, summed up over all calls.
class TimeBudget {
public:
    explicit TimeBudget(std::chrono::steady_clock::duration limit) : left_(limit) {}
    void start() { end_ = std::chrono::steady_clock::now() + left_; }
    void stop() { left_ = end_ - std::chrono::steady_clock::now(); }
    bool is_spent() const { return std::chrono::steady_clock::now() > end_; }

private:
    std::chrono::steady_clock::duration left_;
    std::chrono::steady_clock::time_point end_ = {};
};

// A prepared statement. A value of a wrong type is nullopt.
class CatalogQuery {
public:
    Result<void> prepare(sqlite3* database, const char* sql);
    // Begins anew with these parameters.
    void restart(std::int64_t first, std::int64_t second);
    // True when there is a row. Errors: invalid, timed_out, too_large, unavailable.
    Result<bool> step();

    bool is_null(int column) const;
    std::optional<std::int64_t> number(int column) const;
    std::optional<std::string_view> text(int column) const;  // until the next step
    std::optional<std::string_view> blob(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* handle) const;
    };
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class CatalogDatabase {
public:
    // The file may be removed as soon as this has returned.
    static Result<std::unique_ptr<CatalogDatabase>> open(const std::string& path,
                                                         std::chrono::seconds time_max);
    ~CatalogDatabase();
    CatalogDatabase(const CatalogDatabase&) = delete;
    CatalogDatabase& operator=(const CatalogDatabase&) = delete;

    sqlite3* handle() { return handle_; }
    TimeBudget& budget() { return budget_; }

private:
    CatalogDatabase(sqlite3* handle, std::chrono::seconds time_max)
        : handle_(handle), budget_(time_max) {}
    Result<void> confine();

    sqlite3* handle_;
    TimeBudget budget_;
};

}  // namespace berth::store
