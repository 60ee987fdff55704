// The head of an upstream's answer: as strict as the framing gate, so that a server cannot make
// one answer look like two, or end before its end (RFC 9112 sections 4 to 6). Pure.
#pragma once

#include "http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::http {

struct ResponseHead {
    int status = 0;  // 100 to 599
    int minor_version = 1;
    Headers headers = {};
    bool keep_alive = false;  // the connection can be used again after the body
    bool chunked = false;
    bool has_body = true;                      // false: 1xx, 204, 304 and answers to HEAD
    std::optional<std::uint64_t> length = {};  // neither chunked nor a length: until the close
};

struct ResponseHeadResult {
    std::optional<ResponseHead> head = {};
    std::string error = {};  // not empty: the connection must be closed
    std::size_t bytes = 0;   // how much of the input the head took
    // neither head nor error: more bytes are needed
};

struct ResponseLimits {
    std::size_t head_bytes_max = 65536;
    std::size_t fields_max = 200;
};

// What `input`, the bytes received so far, begins with. `to_head`: the request was HEAD.
ResponseHeadResult read_response_head(std::string_view input, bool to_head,
                                      const ResponseLimits& limits = {});

}  // namespace berth::http
