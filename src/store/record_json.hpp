// What a session directory says of its job, as JSON on one line.
#pragma once

#include "base/result.hpp"
#include "jobs/session_record.hpp"

#include <string>
#include <string_view>

namespace berth::store {

std::string to_json(const jobs::SessionRecord& record);
// `script` is the text of the job's script. Errors: invalid, with the reason.
Result<jobs::SessionRecord> record_from_json(std::string_view text, std::string script);

}  // namespace berth::store
