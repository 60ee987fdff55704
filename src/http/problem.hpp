// Errors as RFC 9457 problem documents.
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <string>
#include <string_view>

namespace berth::http {

int status_of(ErrorKind kind);
// The last part of the stable type URI: "urn:berth:problem:" + name.
std::string_view name_of(ErrorKind kind);

// The document as JSON text: type, title, status, detail; field and old_id
// where the error has them.
// The message of an internal error is logged, never sent.
std::string problem_json(const Error& error);
// Logs an internal error with an id and sends only that id, in the detail.
Response problem(const Error& error);
// For refusals that have a status of their own (the framing gate). `detail` is sent.
Response problem(int status, std::string_view name, std::string_view detail);

}  // namespace berth::http
