#include "auth/identity.hpp"

namespace berth::auth {

std::string_view to_string(Verb verb) {
    switch (verb) {
        case Verb::read:
            return "read";
        case Verb::create:
            return "create";
        case Verb::modify:
            return "modify";
        case Verb::cancel:
            return "cancel";
    }
    return "";
}

}  // namespace berth::auth
