// Named steps at which a test build can die, to show that a restart brings the right end.
//
// In ordinary builds this is nothing. With BERTH_KILL_POINTS the environment variable
// BERTH_KILL_POINT names the step; the process then ends as with kill -9.
#pragma once

namespace berth {

#ifdef BERTH_KILL_POINTS
void kill_point(const char* step);
#else
inline void kill_point(const char*) {}
#endif

}  // namespace berth
