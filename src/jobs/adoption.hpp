// What came of taking up attempts that the store does not know. Plain values.
#pragma once

#include <string>
#include <vector>

namespace berth::jobs {

struct Adoption {
    struct Left {
        std::string tag = {}, job_id = {};  // job_id "": the whole attempt
        std::string why = {};
        bool for_now = false;  // another try may help
    };
    std::vector<std::string> job_ids = {};  // adopted
    std::vector<Left> left = {};
    std::size_t sessions = 0;  // that were looked at
};

struct StraySessions {
    struct Session {
        std::string job_id = {};
        std::string tag = {};  // of its last attempt; "": it was never submitted
    };
    std::vector<Session> found = {};
    bool complete = true;      // false: there are more
    std::size_t sessions = 0;  // that were looked at
};

}  // namespace berth::jobs
