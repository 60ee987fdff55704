// Query parameters, read as strictly as bodies: unknown, doubled and bad ones are refused.
#pragma once

#include "base/result.hpp"

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace berth::api {

// Values by name. Only names in `repeatable` may come more than once.
using Query = std::map<std::string, std::vector<std::string>>;

// Errors: invalid with the parameter's name as field.
Result<Query> read_query(std::string_view query, std::initializer_list<std::string_view> known,
                         std::initializer_list<std::string_view> repeatable = {});

// The first value, or "".
std::string first(const Query& query, const std::string& name);

}  // namespace berth::api
