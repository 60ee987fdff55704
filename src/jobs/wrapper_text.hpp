// The text of wrapper.sh, put into the program by the build.
#pragma once

#include <string_view>

namespace berth::jobs {

extern const std::string_view wrapper_text;

}  // namespace berth::jobs
