// Objects as CVMFS servers send them: in zlib.
#pragma once

#include <zlib.h>

#include <string>

namespace berth::test {

inline std::string packed(const std::string& text) {
    auto length = compressBound(text.size());
    std::string result(length, '\0');
    compress(reinterpret_cast<Bytef*>(result.data()), &length,
             reinterpret_cast<const Bytef*>(text.data()), text.size());
    result.resize(length);
    return result;
}

}  // namespace berth::test
