// The tables, their version, and the steps from one version to the next (docs/formats.md).
#pragma once

#include "base/result.hpp"
#include "store/database.hpp"

namespace berth::store {

inline constexpr int schema_version = 2;

// Creates or migrates the tables in one transaction; makes the instance id once.
// Errors: invalid when the file was written by a newer version or is not a Berth store.
Result<void> migrate(Database& database);

}  // namespace berth::store
