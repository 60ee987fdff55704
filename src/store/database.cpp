#include "store/database.hpp"

#include <sqlite3.h>

namespace berth::store {

namespace {

[[noreturn]] void fail(sqlite3* database) {
    throw DatabaseError{sqlite3_extended_errcode(database), sqlite3_errmsg(database)};
}

}  // namespace

bool DatabaseError::is_fatal() const {
    switch (code & 0xFF) {
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_NOMEM:
            return true;
        default:
            return false;
    }
}

Error DatabaseError::error() const {
    const auto kind =
        is_fatal() || (code & 0xFF) == SQLITE_BUSY ? ErrorKind::unavailable : ErrorKind::internal;
    return Error{kind, "store: " + message};
}

Statement::~Statement() {
    sqlite3_reset(handle_);
    sqlite3_clear_bindings(handle_);
}

Statement& Statement::bind(std::string_view text) {
    sqlite3_bind_text(handle_, next_++, text.data() == nullptr ? "" : text.data(),
                      static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
}

Statement& Statement::bind(std::int64_t number) {
    sqlite3_bind_int64(handle_, next_++, number);
    return *this;
}

Statement& Statement::bind_null() {
    sqlite3_bind_null(handle_, next_++);
    return *this;
}

bool Statement::step() {
    const int result = sqlite3_step(handle_);
    if (result == SQLITE_ROW)
        return true;
    if (result != SQLITE_DONE)
        fail(database_);
    return false;
}

void Statement::run() {
    while (step()) {
    }
    sqlite3_reset(handle_);
    next_ = 1;
}

std::string Statement::text(int column) const {
    const auto* data = sqlite3_column_text(handle_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
    return data == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
}

std::int64_t Statement::number(int column) const {
    return sqlite3_column_int64(handle_, column);
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

Database::Database(const std::string& path, bool read_only) {
    const int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX, nullptr) !=
        SQLITE_OK) {
        const DatabaseError error{sqlite3_extended_errcode(handle_), sqlite3_errmsg(handle_)};
        sqlite3_close(handle_);
        throw error;
    }
    sqlite3_busy_timeout(handle_, 10000);
}

Database::~Database() {
    for (const auto& [sql, statement] : statements_)
        sqlite3_finalize(statement);
    sqlite3_close(handle_);
}

void Database::execute(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        fail(handle_);
}

Statement Database::prepare(const char* sql) {
    auto found = statements_.find(sql);
    if (found == statements_.end()) {
        sqlite3_stmt* made = nullptr;
        if (sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr) !=
            SQLITE_OK)
            fail(handle_);
        found = statements_.emplace(sql, made).first;
    }
    return Statement(found->second, handle_);
}

std::int64_t Database::last_insert_id() const {
    return sqlite3_last_insert_rowid(handle_);
}

}  // namespace berth::store
