#include "store/catalog_database.hpp"

#include "base/text.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace berth::store {

namespace {

constexpr int steps_between_looks_at_the_clock = 1000;
constexpr int value_bytes_max = 32 << 20;  // extended attributes of one entry can be 16 MiB

constexpr std::array<std::string_view, 6> tables = {"catalog",    "chunks",     "nested_catalogs",
                                                    "properties", "statistics", "sqlite_master"};

Error error_of(sqlite3* database) {
    const auto words = printable(sqlite3_errmsg(database));
    switch (sqlite3_errcode(database) & 0xFF) {
        case SQLITE_INTERRUPT:
            return {ErrorKind::timed_out, "reading it takes too long"};
        case SQLITE_TOOBIG:
            return {ErrorKind::too_large, "it has a value that is too large"};
        case SQLITE_NOMEM:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
            return {ErrorKind::unavailable, "SQLite: " + words};
        default:
            return {ErrorKind::invalid, "SQLite: " + words};
    }
}

// Reading the tables of a catalog, and counting. `within` names a view or a trigger.
int authorize(void*, int action, const char* first, const char* second, const char*,
              const char* within) {
    if (within != nullptr)
        return SQLITE_DENY;
    const std::string_view table = first == nullptr ? "" : first;
    switch (action) {
        case SQLITE_SELECT:
            return SQLITE_OK;
        case SQLITE_READ:
            return std::ranges::find(tables, table) != tables.end() ? SQLITE_OK : SQLITE_DENY;
        case SQLITE_FUNCTION:
            return second != nullptr && std::string_view(second) == "count" ? SQLITE_OK
                                                                            : SQLITE_DENY;
        default:
            return SQLITE_DENY;
    }
}

int look_at_the_clock(void* budget) {
    return static_cast<TimeBudget*>(budget)->is_spent() ? 1 : 0;
}

// For a URI.
std::string escaped(std::string_view path) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string text;
    for (const char c : path) {
        if (std::string_view("%?#").find(c) == std::string_view::npos) {
            text += c;
            continue;
        }
        text += '%';
        text += digits[static_cast<unsigned char>(c) >> 4U];
        text += digits[static_cast<unsigned char>(c) & 15U];
    }
    return text;
}

void set_limits(sqlite3* database) {
    sqlite3_limit(database, SQLITE_LIMIT_LENGTH, value_bytes_max);
    sqlite3_limit(database, SQLITE_LIMIT_SQL_LENGTH, 10'000);
    sqlite3_limit(database, SQLITE_LIMIT_COLUMN, 100);
    sqlite3_limit(database, SQLITE_LIMIT_EXPR_DEPTH, 20);
    sqlite3_limit(database, SQLITE_LIMIT_COMPOUND_SELECT, 2);
    sqlite3_limit(database, SQLITE_LIMIT_VDBE_OP, 10'000);
    sqlite3_limit(database, SQLITE_LIMIT_FUNCTION_ARG, 4);
    sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(database, SQLITE_LIMIT_TRIGGER_DEPTH, 1);
    sqlite3_limit(database, SQLITE_LIMIT_WORKER_THREADS, 0);
}

}  // namespace

void CatalogQuery::Finalize::operator()(sqlite3_stmt* handle) const {
    sqlite3_finalize(handle);
}

Result<void> CatalogQuery::prepare(sqlite3* database, const char* sql) {
    sqlite3_stmt* handle = nullptr;
    const int result = sqlite3_prepare_v2(database, sql, -1, &handle, nullptr);
    handle_.reset(handle);
    if (result != SQLITE_OK)
        return error_of(database);
    return {};
}

void CatalogQuery::restart(std::int64_t first, std::int64_t second) {
    sqlite3_reset(handle_.get());
    sqlite3_bind_int64(handle_.get(), 1, first);
    sqlite3_bind_int64(handle_.get(), 2, second);
}

Result<bool> CatalogQuery::step() {
    const int result = sqlite3_step(handle_.get());
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return error_of(sqlite3_db_handle(handle_.get()));
    return result == SQLITE_ROW;
}

bool CatalogQuery::is_null(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

std::optional<std::int64_t> CatalogQuery::number(int column) const {
    if (sqlite3_column_type(handle_.get(), column) != SQLITE_INTEGER)
        return std::nullopt;
    return sqlite3_column_int64(handle_.get(), column);
}

std::optional<std::string_view> CatalogQuery::text(int column) const {
    if (sqlite3_column_type(handle_.get(), column) != SQLITE_TEXT)
        return std::nullopt;
    const auto* data = sqlite3_column_text(handle_.get(), column);
    if (data == nullptr)
        return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(data),
                            static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

std::optional<std::string_view> CatalogQuery::blob(int column) const {
    if (sqlite3_column_type(handle_.get(), column) != SQLITE_BLOB)
        return std::nullopt;
    const auto* data = sqlite3_column_blob(handle_.get(), column);
    if (data == nullptr)
        return std::string_view();
    return std::string_view(static_cast<const char*>(data),
                            static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

CatalogDatabase::~CatalogDatabase() {
    sqlite3_close_v2(handle_);
}

Result<std::unique_ptr<CatalogDatabase>> CatalogDatabase::open(const std::string& path,
                                                               std::chrono::seconds time_max) {
    sqlite3* handle = nullptr;
    const auto uri = "file:" + escaped(path) + "?immutable=1&mode=ro";
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    const int result = sqlite3_open_v2(uri.c_str(), &handle, flags, nullptr);
    std::unique_ptr<CatalogDatabase> database(new CatalogDatabase(handle, time_max));
    if (result != SQLITE_OK)
        return Error{ErrorKind::unavailable, std::string("SQLite: ") + sqlite3_errstr(result)};
    if (const auto confined = database->confine(); !confined)
        return confined.error();
    return database;
}

Result<void> CatalogDatabase::confine() {
    set_limits(handle_);
    int ignored = 0;
    bool done = true;
    for (const auto& [option, value] : {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                                        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
                                        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0}})
        done = done && sqlite3_db_config(handle_, option, value, &ignored) == SQLITE_OK;
    sqlite3_progress_handler(handle_, steps_between_looks_at_the_clock, look_at_the_clock,
                             &budget_);
    budget_.start();
    done = done && sqlite3_exec(handle_, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0", nullptr,
                                nullptr, nullptr) == SQLITE_OK;
    done = done && sqlite3_set_authorizer(handle_, authorize, nullptr) == SQLITE_OK;
    budget_.stop();
    if (!done)
        return error_of(handle_);
    return {};
}

}  // namespace berth::store
