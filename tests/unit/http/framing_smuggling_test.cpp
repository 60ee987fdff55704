// What two parsers could read in two ways is refused: first the rows measured with Boost.Beast
// 1.81, then the classes of HTTP request smuggling.
#include "http/framing.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace berth::http {
namespace {

struct Case {
    std::string name;
    std::string request;
    int status = 400;  // 0: acceptable
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

std::string post(const std::string& fields, const std::string& version = "1.1") {
    return "POST / HTTP/" + version + "\r\nHost: h\r\n" + fields + "\r\n\r\n";
}

std::string get(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

class Smuggling : public testing::TestWithParam<Case> {};

TEST_P(Smuggling, IsDecidedByTheGate) {
    const auto& c = GetParam();
    const auto result = read_head(c.request, {});
    ASSERT_TRUE(result.head || result.error) << "the gate still waits for more";
    EXPECT_EQ(result.error ? result.error->status : 0, c.status)
        << (result.error ? result.error->reason : "accepted");
}

const std::string te = "Transfer-Encoding: ";
const std::string cl = "Content-Length: ";

std::string named(const testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

// clang-format off
INSTANTIATE_TEST_SUITE_P(BeastRows, Smuggling, testing::Values(
    Case{"TeGzipThenLength", post(te + "gzip\r\n" + cl + "5")},
    Case{"TeGzip", post(te + "gzip")},
    Case{"TeIdentity", post(te + "identity")},
    Case{"TeXchunked", post(te + "xchunked")},
    Case{"TeChunkedGzip", post(te + "chunked, gzip")},
    Case{"TeGzipChunked", post(te + "gzip, chunked")},
    Case{"TeChunkedTwiceInOneField", post(te + "chunked, chunked")},
    Case{"TeIdentityThenTeChunked", post(te + "identity\r\n" + te + "chunked")},
    Case{"TeInHttp10", post(te + "chunked", "1.0")},
    Case{"LengthThenTe", post(cl + "5\r\n" + te + "chunked")},
    Case{"TeThenLength", post(te + "chunked\r\n" + cl + "5")},
    Case{"TeChunkedInTwoFields", post(te + "chunked\r\n" + te + "chunked")},
    Case{"DifferingLengths", post(cl + "5\r\n" + cl + "6")},
    Case{"LengthWithPlus", post(cl + "+5")},
    Case{"LengthWithMinus", post(cl + "-5")},
    Case{"LengthInHex", post(cl + "0x5")},
    Case{"LengthEmpty", post(cl)},
    Case{"LengthOverflow", post(cl + "18446744073709551616")},
    Case{"LengthTwentyDigits", post(cl + "00000000000000000005")},
    Case{"IdenticalLengths", post(cl + "5\r\n" + cl + "5")},
    Case{"LengthList", post(cl + "5, 5")},
    Case{"LengthWithZeros", post(cl + "005")},
    Case{"FoldedField", post("X: a\r\n b")},
    Case{"FoldedWithTab", post("X: a\r\n\tb")},
    Case{"FoldedTe", post("Transfer-Encoding:\r\n chunked")},
    Case{"FoldBeforeTheFirstField", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
    Case{"NoHost", "GET / HTTP/1.1\r\nX: y\r\n\r\n"},
    Case{"TwoHosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"},
    Case{"TwoHostsInHttp10", "GET / HTTP/1.0\r\nHost: h\r\nhost: i\r\n\r\n"},
    Case{"NoHostInHttp10", "GET / HTTP/1.0\r\n\r\n", 0},
    Case{"BareLf", "GET / HTTP/1.1\nHost: h\n\n"},
    Case{"BareLfInField", "GET / HTTP/1.1\r\nHost: h\r\nX: y\nZ: w\r\n\r\n"},
    Case{"BareCr", "GET / HTTP/1.1\r\nHost: h\r\nX: y\rZ: w\r\n\r\n"},
    Case{"BareCrInRequestLine", "GET /\r HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"BareLfEmptyLine", "GET / HTTP/1.1\r\nHost: h\r\n\n"},
    Case{"NulInValue", post(std::string("X: a\0b", 6))},
    Case{"NulInName", post(std::string("X\0: ab", 6))},
    Case{"NulInTarget", get(std::string("/a\0b", 4))},
    Case{"SpaceBeforeColon", post("Content-Length : 5")},
    Case{"TabBeforeColon", post("Content-Length\t: 5")},
    Case{"EmptyName", post(": x")},
    Case{"NoColon", post("Content-Length 5")},
    Case{"LeadingCrlf", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"TwoSpacesBeforeTarget", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"TwoSpacesAfterTarget", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"SpaceAfterVersion", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
    Case{"TabInRequestLine", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"TabAfterTarget", "GET /\tHTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"RawUtf8InTarget", get("/\xC3\xA9")},
    Case{"FragmentInTarget", get("/a#b")},
    Case{"BackslashInTarget", get("/a\\b")},
    Case{"QuoteInTarget", get("/a\"b")},
    Case{"AbsoluteFormWithOtherHost", get("http://other/x"), 0},
    Case{"ConnectWithLength", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 501}
), named);

INSTANTIATE_TEST_SUITE_P(Classes, Smuggling, testing::Values(
    Case{"ChunkedIsFine", post(te + "chunked"), 0},
    Case{"ChunkedWithSpacesAroundIsFine", post("Transfer-Encoding: \t chunked \t"), 0},
    Case{"LengthIsFine", post(cl + "5"), 0},
    Case{"LengthZeroIsFine", post(cl + "0"), 0},
    Case{"TeUpperCase", post(te + "Chunked")},
    Case{"TeVerticalTab", post(te + "\vchunked")},
    Case{"TeFormFeed", post(te + "chunked\f")},
    Case{"TeNoBreakSpace", post(te + "chunked\xA0")},
    Case{"TeNextLine", post(te + "\x85" "chunked")},
    Case{"TeLeadingComma", post(te + ",chunked")},
    Case{"TeTrailingComma", post(te + "chunked,")},
    Case{"TeQuoted", post(te + "\"chunked\"")},
    Case{"TeParameter", post(te + "chunked;q=1")},
    Case{"TeEmpty", post(te)},
    Case{"TeEmptyThenChunked", post("Transfer-Encoding:\r\n" + te + "chunked")},
    Case{"TeNameWithSpaceFirst", "POST / HTTP/1.1\r\nHost: h\r\n Transfer-Encoding: chunked\r\n\r\n"},
    Case{"TeNameWithUnderscoreIsAnotherField", post("Transfer_Encoding: chunked"), 0},
    Case{"LengthUnderscore", post(cl + "1_0")},
    Case{"LengthInnerSpace", post(cl + "1 0")},
    Case{"LengthFraction", post(cl + "5.0")},
    Case{"LengthExponent", post(cl + "1e1")},
    Case{"LengthOctal", post(cl + "010")},
    Case{"LengthNoBreakSpace", post(cl + "5\xA0")},
    Case{"LengthVerticalTab", post(cl + "\v5")},
    Case{"LengthNineteenDigits", post(cl + "1000000000000000000")},
    Case{"LengthZeroZero", post(cl + "00")},
    Case{"LengthEmptyThenValue", post("Content-Length:\r\n" + cl + "5")},
    Case{"GetWithLength", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"},
    Case{"GetWithLengthZeroIsFine", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 0},
    Case{"GetWithChunks", "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"},
    Case{"HeadWithLength", "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"},
    Case{"GetWithUpgradeAndLength", "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n"},
    Case{"Http09", "GET /\r\n\r\n"},
    Case{"Http09WithField", "GET /\r\nHost: h\r\n\r\n"},
    Case{"Version110", "GET / HTTP/1.10\r\nHost: h\r\n\r\n"},
    Case{"Version12", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
    Case{"VersionLowerCase", "GET / http/1.1\r\nHost: h\r\n\r\n"},
    Case{"VersionComma", "GET / HTTP/1,1\r\nHost: h\r\n\r\n"},
    Case{"VersionMissingMinor", "GET / HTTP/1\r\nHost: h\r\n\r\n"},
    Case{"SecondVersion", "GET / HTTP/1.1 HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"MethodWithNul", std::string("GE\0T / HTTP/1.1\r\nHost: h\r\n\r\n", 28)},
    Case{"MethodWithColon", "GET: / HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"MethodWithLeadingSpace", " GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"MethodPrefix", "GE / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
    Case{"MethodListAsOne", "GET,HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"},
    Case{"Trace", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
    Case{"HostEmpty", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    Case{"HostWithPath", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n"},
    Case{"HostWithUser", "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"},
    Case{"HostWithSpace", "GET / HTTP/1.1\r\nHost: h i\r\n\r\n"},
    Case{"HostWithBadPort", "GET / HTTP/1.1\r\nHost: h:99999\r\n\r\n"},
    Case{"HostWithComma", "GET / HTTP/1.1\r\nHost: h,i\r\n\r\n"},
    Case{"HostIpv6IsFine", "GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", 0},
    Case{"HostBadOverAbsoluteForm", "GET http://h/ HTTP/1.1\r\nHost: a@b\r\n\r\n"},
    Case{"TwoHostsOverAbsoluteForm", "GET http://h/ HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"},
    Case{"TwoAuthorizations", post("Authorization: Bearer a\r\nX: y\r\nauthorization: Bearer b")},
    Case{"TheSameAuthorizationTwice", post("Authorization: Bearer a\r\nAuthorization: Bearer a")},
    Case{"TwoContentTypes", post("Content-Type: a/b\r\ncontent-type: c/d")},
    Case{"TwoOfAListFieldAreFine", post("Accept: a/b\r\nAccept: c/d"), 0},
    Case{"DotSegments", get("/a/../b")},
    Case{"EncodedDotSegments", get("/a/%2e%2E/b")},
    Case{"EncodedSlash", get("/a%2fb")},
    Case{"EncodedNul", get("/a%00")},
    Case{"EncodedNewline", get("/a%0d%0ab")},
    Case{"BadEscape", get("/a%zz")},
    Case{"Asterisk", get("*")},
    Case{"DeleteInValue", post("X: a\x7F")},
    Case{"EscapeInValue", post("X: \x1B[0m")},
    Case{"Latin1InValueIsFine", post("X: \xE9"), 0},
    Case{"NameWithLatin1", post("X\xE9: y")},
    Case{"NameWithParentheses", post("X(y): z")}
), named);
// clang-format on

TEST(SmugglingRules, ConnectWithABodyIsRefusedOnTheProxyListener) {
    GateSettings proxy;
    proxy.methods = "CONNECT";
    proxy.allow_authority = true;
    for (const std::string field :
         {"Content-Length: 5", "Content-Length: 0", "Transfer-Encoding: chunked"}) {
        const auto result =
            read_head("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n" + field + "\r\n\r\n", proxy);
        ASSERT_TRUE(result.error) << field;
        EXPECT_EQ(result.error->status, 400);
    }
}

// A head is refused or accepted whatever comes behind it.
TEST(SmugglingRules, TheVerdictDoesNotDependOnWhatFollows) {
    const auto request = post(cl + "5");
    const auto alone = read_head(request, {});
    const auto followed = read_head(request + "GET /admin HTTP/1.1\r\nHost: h\r\n\r\n", {});
    ASSERT_TRUE(alone.head && followed.head);
    EXPECT_EQ(alone.head->bytes, followed.head->bytes);
}

}  // namespace
}  // namespace berth::http
