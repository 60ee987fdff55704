// jobs::SessionFiles for sites where one account serves all: everything belongs to the daemon's
// own account.
//
// Threads: any; blocking. Every path is opened anew below the root, so that a root that comes back
// (a remounted file system) is found again.
#pragma once

#include "jobs/session.hpp"

#include <string>

namespace berth::store {

struct OwnFilesSettings {
    std::string root;      // session root, absolute
    bool known = false;    // it was prepared before, so its mark must be there
    std::string instance;  // of the store; the root belongs to it
    std::uint64_t upload_bytes_max = 10ULL << 30U;  // of one file
    // Of all files of one job, before it runs.
    std::uint64_t session_bytes_max = 50ULL << 30U;
    std::size_t session_files_max = 10'000;
};

class OwnFiles final : public jobs::SessionFiles {
public:
    explicit OwnFiles(OwnFilesSettings settings) : settings_(std::move(settings)) {}

    Result<void> prepare_root() override;
    std::string root() const override { return settings_.root; }
    Result<void> make(const std::string& account, const jobs::SessionInput& input) override;
    Result<void> write_manifest(const std::string& account, const std::string& tag,
                                const std::vector<std::string>& job_ids) override;
    jobs::SessionView look(const std::string& account, const std::string& job_id) override;
    jobs::Fence void_fence(const std::string& account, const std::string& job_id) override;
    Result<std::vector<jobs::SessionEvent>> take_events(std::size_t most) override;
    Result<void> remove(const std::string& account, const std::string& job_id) override;
    Result<jobs::Usage> measure(const std::string& account, const std::string& job_id) override;
    Result<void> remove_manifest(const std::string& account, const std::string& tag) override;
    Result<std::vector<jobs::SessionNote>> list_sessions(const std::string& account,
                                                         unsigned shard) override;
    Result<jobs::FoundSession> find(const std::string& account, const std::string& job_id) override;
    Result<std::vector<jobs::FileEntry>> list(const std::string& account, const std::string& job_id,
                                              std::size_t most) override;
    Result<Descriptor> open(const std::string& account, const std::string& job_id,
                            const std::string& path) override;
    Result<std::unique_ptr<jobs::Upload>> upload(const std::string& account,
                                                 const std::string& job_id, const std::string& path,
                                                 std::uint64_t bytes_max) override;
    Result<void> remove_file(const std::string& account, const std::string& job_id,
                             const std::string& path) override;

private:
    Result<Descriptor> open_root() const;
    Result<Descriptor> open_marked_root() const;
    Result<Descriptor> open_files(const std::string& job_id) const;
    Result<std::string> launch_text(int root, const jobs::SessionInput& input, bool first) const;
    Result<void> keep_script(int root, const jobs::SessionInput& input) const;
    jobs::Fence read_fence(int root, const std::string& job_id) const;

    OwnFilesSettings settings_;
};

}  // namespace berth::store
