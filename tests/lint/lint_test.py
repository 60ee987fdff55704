"""The lints themselves: what they must find and what they must leave alone."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import await_shape  # noqa: E402
import floors  # noqa: E402
import words  # noqa: E402

# Each is the body of a coroutine, and what is wrong with it.
WRONG = [
    ('co_await run(Options{1});', 'a value in braces'),
    ('co_await run({.retries = 3});', 'a value in braces'),
    ('co_await run(Options{});', 'a value in braces'),
    ('auto x = Job{co_await load(), 1};', 'a value in braces'),
    ('co_return Error{kind, co_await text()};', 'a value in braces'),
    ('auto job{co_await load()};', 'a value in braces'),
    ('auto x = std::vector<int>{1, co_await load()};', 'a value in braces'),
    ('x = a ? co_await b() : c;', 'a conditional operator'),
    ('co_await run(a ? b : c);', 'a conditional operator'),
    ('co_await run([x] { return x; });', 'a lambda with captures'),
    ('co_await run([&](int y) mutable -> int { return y; });', 'a lambda with captures'),
    ('co_await [this]() -> Async<int> { co_return 1; }();', 'a lambda with captures'),
    ('auto r = co_await post(loop, [=]() noexcept { work(); }, token);', 'a lambda with captures'),
    ('co_await run([x, o = Options{1}] {});', 'a lambda with captures and a value in braces'),
    ('if (auto x = co_await run(Options{1})) { done(); }', 'a value in braces'),
    ('while (co_await next(a ? b : c)) done();', 'a conditional operator'),
    ('for (auto& x : co_await list(Options{1})) done(x);', 'a value in braces'),
    ('switch (co_await run(Options{1})) { default: break; }', 'a value in braces'),
    ('run([] { return 1; }, co_await load(Options{2}));', 'a value in braces'),
    ('case_label: co_await run(Options{1});', 'a value in braces'),
    ('spawn([&]() -> Async<void> { co_await run(Options{1}); });', 'a value in braces'),
    ('x\n  .y(co_await\n z({1}));', 'a value in braces'),
    ('if (a) { f(); } co_await run(Options{1});', 'a value in braces'),
    ('co_return co_await (flag ? first() : second());', 'a conditional operator'),
]

RIGHT = [
    'co_await run(name, std::move(options));',
    'const Options options{1}; co_await run(options);',
    'const auto x = a ? b : c; co_await run(x);',
    'auto work = [x] { return x; }; co_await run(work);',
    'co_await run([](int x) { return x ? 1 : 2; });',
    'co_await run([] { const Options o{1}; return o; });',
    'if (a ? b : c) co_await run();',
    'for (int i{0}; i < 3; ++i) co_await run(i);',
    'for (const auto x : {1, 2}) { co_await run(x); }',
    'for (const auto x : {1, 2}) co_await run(x);',
    'if (const auto x = co_await run(); x) { y = Options{1}; }',
    'auto [a, b] = co_await both();',
    'const auto& [a, b] = co_await both();',
    'x[co_await index()] = y[2];',
    'co_await run("a ? b : {c}", \'?\', R"(co_await {)", 1\'000);',
    '// co_await run({1});\nf({1});',
    '/* a ? b : */ co_await run();',
    'switch (x) { case 1: co_await a(); break; default: y = a ? b : c; }',
    'try { co_await a(); } catch (const Error& e) { f({e}); }',
    'do { co_await a(); } while (x ? y : z);',
    'co_return Options{1};',
    'spawn([&]() -> Async<void> { co_await run(); });',
    '[[maybe_unused]] auto x = co_await run(); f({1});',
    'struct Local { int x{1}; }; co_await run();',
    'f({1}); co_await run(); g(a ? b : c);',
    'if constexpr (a ? b : c) { co_await run(); } else { f({1}); }',
    'delete[] x; co_await run();',
]

# What stands around the body of a coroutine; none of it is part of an expression in it.
AROUND = [
    '{}',
    'namespace a::b {{ Async<int> f(int x = 3) {{ {} }} }}',
    'class A final : public B {{ int n_ = {{}}; Async<int> f() const noexcept override {{ {} }} }};',
    'auto f() -> Async<std::vector<int>> {{ {} }}',
    'A::A(int x) : x_(x), y_{{x}} {{ {} }}',
    '#define M(x) (x) \\\n  ? {{ 1 }}\nAsync<void> f() {{ {} }}',
    'constexpr int t[] = {{1, 2}}; enum class E {{ a, b }}; Async<void> f() & {{ {} }}',
    'TEST(Group, Name) {{ run([&]() -> Async<void> {{ {} }}()); }}',
]


class AwaitShape(unittest.TestCase):
    def test_every_wrong_shape_is_found_wherever_it_is(self):
        for body, what in WRONG:
            for around in AROUND:
                found = await_shape.check_text(around.format(body))
                self.assertEqual([one[1] for one in found], [what], around.format(body))

    def test_right_shapes_are_left_alone(self):
        for body in RIGHT:
            for around in AROUND:
                found = await_shape.check_text(around.format(body))
                self.assertEqual(found, [], around.format(body))

    def test_the_line_is_that_of_co_await(self):
        found = await_shape.check_text('\n/* a\nb */\nrun(\n  Options{1},\n  co_await x());\n')
        self.assertEqual(found, [(6, 'a value in braces')])

    def test_text_that_ends_in_the_middle_does_not_stop_it(self):
        for text in ('co_await run({', '}}} co_await x({1});', 'R"(', '"', "'", '[', '#'):
            await_shape.check_text(text)


class Floors(unittest.TestCase):
    def faults(self, path, text):
        return [message for _, message in floors.check_source(path, text)]

    def test_includes_that_point_down_are_right(self):
        for path, text in [('app/main.cpp', '#include "config/config.hpp"\n#include <CLI/CLI.hpp>'),
                           ('net/tls.cpp', '#include <openssl/ssl.h>\n#include <curl/curl.h>'),
                           ('net/tls.cpp', '#include <boost/asio/ssl.hpp>'),
                           ('base/asio.cpp', '#include <boost/asio/ssl/impl/src.hpp>'),
                           ('base/log.cpp', '#include <spdlog/spdlog.h>'),
                           ('auth/jwt.cpp', '#include <openssl/evp.h>\n#include "base/text.hpp"'),
                           ('store/db.cpp', '#include <sqlite3.h>\n#include "jobs/store.hpp"'),
                           ('jobs/a.cpp', '#include "jobs/b.hpp"\n#include <vector>'),
                           ('sites/a.cpp', '#include "berth/plugin.hpp"'),
                           ('base/a.cpp', '// #include "app/main.hpp"\n#include <boost/asio/post.hpp>')]:
            self.assertEqual(self.faults(path, text), [], (path, text))

    def test_includes_that_do_not_are_found(self):
        for path, text in [('base/a.cpp', '#include "http/message.hpp"'),
                           ('jobs/a.cpp', '#include "auth/identity.hpp"'),
                           ('store/a.cpp', '#include "sites/slurm.hpp"'),
                           ('jobs/a.cpp', '  #  include "net/server.hpp"'),
                           ('net/a.cpp', '#include "server.hpp"'),
                           ('net/a.cpp', '#include "../base/text.hpp"'),
                           ('jobs/a.cpp', '#include <openssl/sha.h>'),
                           ('base/ids.cpp', '#include <openssl/rand.h>'),
                           ('store/a.cpp', '#include <curl/curl.h>'),
                           ('jobs/a.cpp', '#include <sqlite3.h>'),
                           ('base/metrics.cpp', '#include <spdlog/spdlog.h>'),
                           ('api/a.cpp', '#include <boost/asio/ssl/context.hpp>'),
                           ('net/a.cpp', '#include <boost/beast/http.hpp>'),
                           ('net/a.cpp', '#include <boost/beast.hpp>'),
                           ('cellar/a.cpp', '')]:
            self.assertEqual(len(self.faults(path, text)), 1, (path, text))

    def test_the_line_is_that_of_the_include(self):
        found = list(floors.check_source('base/a.cpp', '\n#include <vector>\n#include "app/a.hpp"\n'))
        self.assertEqual([line for line, _ in found], [3])

    def test_public_headers_stand_alone(self):
        self.assertEqual(list(floors.check_public('#include <string>\n#include "berth/a.hpp"')), [])
        self.assertEqual(len(list(floors.check_public('#include "base/text.hpp"'))), 1)
        self.assertEqual(len(list(floors.check_public('#include <boost/asio.hpp>'))), 1)

    def test_a_whole_tree_is_read(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, 'src/base'))
            with open(os.path.join(root, 'src/base/a.cpp'), 'w', encoding='utf-8') as file:
                file.write('#include "net/server.hpp"\n')
            faults = floors.check_tree(root)
            self.assertEqual(len(faults), 1)
            self.assertTrue(faults[0].startswith('src/base/a.cpp:1: '), faults)


class Words(unittest.TestCase):
    def test_forbidden_words_are_found(self):
        for text in ['// TO' 'DO: later', '# FIX' 'ME', 'cd /ho' 'me/somebody/x', '"/wo' 'rk/main"',
                     'see /ro' 'ot/notes', '(/ho' 'me/a)']:
            self.assertEqual(len(list(words.check_text('fine\n' + text))), 1, text)

    def test_other_text_is_left_alone(self):
        for text in ['the to-do list', 'todo_count', 'https://example.org/ho' 'me/page',
                     'a home/work balance', '/scratch/berth', '/var/lib/berth/ro' 'ot/x',
                     '${HOME}/wo' 'rk/x', 'and/or',
                     'folder.path() + "/wo' 'rk/x"']:
            self.assertEqual(list(words.check_text(text)), [], text)


class Format(unittest.TestCase):
    def check(self, text):
        here = os.path.dirname(os.path.abspath(__file__))
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, '.clang-format'), 'w', encoding='utf-8') as file:
                file.write('BasedOnStyle: Google\n')
            with open(os.path.join(folder, 'a.cpp'), 'w', encoding='utf-8') as file:
                file.write(text)
            command = [os.path.join(here, 'format_check.sh'), folder, 'a.cpp']
            return subprocess.run(command, capture_output=True, check=False).returncode

    def test_formatted_text_passes_and_other_text_fails(self):
        self.assertEqual(self.check('int f() { return 1; }\n'), 0)
        self.assertNotEqual(self.check('int  f( ){return 1;}\n'), 0)


if __name__ == '__main__':
    unittest.main()
