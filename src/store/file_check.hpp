// Whether the store's file lost its end, which SQLite itself finds out only when it comes to a page
// that is missing.
//
// Errors: DatabaseError, with a sentence.
#pragma once

#include "store/database.hpp"

#include <string>

namespace berth::store {

// Before the file is opened: true when it is shorter than it says. After a crash that may be right,
// because the log has the rest. Throws for a file that is there and has less than a page, which
// SQLite would take for a new store.
bool looks_cut(const std::string& path);

// Reads every page, with what the log has of them; of a large store that takes a while.
void check_pages(Database& database, const std::string& path);

}  // namespace berth::store
