#include "base/kill_point.hpp"

namespace berth {

void kill_point(const char*, std::string_view) {}

}  // namespace berth
