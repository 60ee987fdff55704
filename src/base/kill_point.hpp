// Named steps at which a test program can die, to show that a restart brings the right end.
//
// The function of the daemon is empty. The program of the fault tests has one that dies, see
// tests/fault/kill_point_dying.cpp; they find the steps by their names in the sources, so each name
// is a literal that is used once.
//
// Threads: any.
#pragma once

#include <string_view>

namespace berth {

// `about` tells passes of one step apart: the program that is run, for example.
void kill_point(const char* step, std::string_view about = {});

}  // namespace berth
