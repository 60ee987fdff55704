#include "cache/names.hpp"

#include <gtest/gtest.h>

namespace berth::cache {
namespace {

const std::string hex = "b1213452341234123412341234123412341234ab";
const std::string folder = "/cvmfs/sw.example.org/data/b1/";
const std::string rest = hex.substr(2);

TEST(Names, ContentIsKnownByHashWhateverTheRepositoryLetterOrFolder) {
    struct Case {
        std::string path;
        Algorithm algorithm;
        char letter;
    };
    for (const auto& c :
         {Case{folder + rest, Algorithm::sha1, 0}, Case{folder + rest + "C", Algorithm::sha1, 'C'},
          Case{folder + rest + "-rmd160P", Algorithm::rmd160, 'P'},
          Case{folder + rest + "-shake128", Algorithm::shake128, 0},
          Case{"/opt/a.b/data/b1/" + rest + "X", Algorithm::sha1, 'X'}}) {
        const auto name = name_of(c.path);
        ASSERT_EQ(name.kind, Kind::content) << c.path;
        EXPECT_EQ(name.content.text(), hex + std::string(suffix_of(c.algorithm))) << c.path;
        EXPECT_EQ(name.letter, c.letter) << c.path;
    }
    EXPECT_EQ(name_of(folder + rest).repository, "sw.example.org");
}

TEST(Names, ManifestAndWhitelistAreTheirRepositorys) {
    EXPECT_EQ(name_of("/cvmfs/sw.example.org/.cvmfspublished").kind, Kind::manifest);
    EXPECT_EQ(name_of("/cvmfs/sw.example.org/.cvmfswhitelist").kind, Kind::whitelist);
    EXPECT_EQ(name_of("/opt/sw.example.org/.cvmfspublished").repository, "sw.example.org");
}

TEST(Names, TheRestIsCachedByItsUrl) {
    for (const auto& path :
         {std::string("/"), std::string(), std::string("x"), folder, folder + rest.substr(1),
          folder + rest + "0", folder + rest + "CC", folder + rest + "-md5",
          std::string("/cvmfs/sw.example.org/data/b12/") + hex,
          std::string("/cvmfs/sw.example.org/api/v1.0/geo/x/a,b"),
          std::string("/cvmfs/nodots/data/b1/") + rest, std::string("/data/b1/") + rest,
          std::string("/cvmfs/sw.example.org/.cvmfspublished/x"),
          std::string("/atlr/Frontier/type=frontier_request:1:DEFAULT")})
        EXPECT_EQ(name_of(path).kind, Kind::other) << path;
    EXPECT_EQ(name_of("/cvmfs/sw.example.org/.cvmfsreflog").repository, "sw.example.org");
}

}  // namespace
}  // namespace berth::cache
