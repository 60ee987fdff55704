// A job's request as the store keeps it: JSON without the script, which is kept once per content.
#pragma once

#include "jobs/request.hpp"

#include <string>

namespace berth::store {

std::string to_json(const jobs::Request& request);
// `text` is what to_json wrote; anything else throws nlohmann's exceptions.
jobs::Request from_json(const std::string& text, std::string script);

}  // namespace berth::store
