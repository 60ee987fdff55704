// Random and time-ordered names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace berth {

// Fills `bytes` from the kernel's generator (getrandom). Ends the process if that fails: an
// identifier that is not random is worse than none.
void random_bytes(std::span<unsigned char> bytes);

// `length` random characters of a-z2-7 (RFC 4648 base32 in lower case), 5 bits each.
std::string random_base32(std::size_t length);

// A job's id: 10 characters of time in milliseconds and 12 random ones, in the ascending base32
// alphabet 0-9a-v, so that ids sort by age.
std::string make_job_id(std::int64_t now_ms);
bool is_job_id(std::string_view text);

}  // namespace berth
