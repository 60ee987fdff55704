// The OpenAPI document of the REST interface, put into the program by the build.
#pragma once

#include <string>

namespace berth::api {

std::string openapi_text();

}  // namespace berth::api
