"""Finds expressions that GCC 12 compiles wrongly around co_await.

In a full expression that waits, GCC 12.2 destroys some temporaries twice. What it gets right are
names, calls and constructor calls. So these are faults when co_await is in the same full
expression: values in braces, lambdas with captures, and the conditional operator. The remedy is
always the same: give the value a name on the line above and move the name in.

The text is read into a tree of brackets, which is then cut into full expressions. A lambda's body
has expressions of its own.

Usage: await_shape.py FILE...
       await_shape.py --tree CHECKOUT
"""
import os
import re
import sys

import tree

LEXEME = re.compile(r'''
    (?P<space>   \s+ | //[^\n]* | /\*.*?\*/ | (?<![^\n])[ \t]*\#(?:[^\n\\]|\\.)* )
  | (?P<raw>     (?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)" )
  | (?P<text>    (?:u8|[uUL])?"(?:[^"\\\n]|\\.)*" | (?:u8|[uUL])?'(?:[^'\\\n]|\\.)+' )
  | (?P<number>  \.?\d(?:'?[\w.])* )
  | (?P<word>    [A-Za-z_]\w* )
  | (?P<sign>    -> | :: | && | \+\+ | -- | . )
''', re.X | re.S)

CLOSING = {'(': ')', '[': ']', '{': '}'}
CONTROL = {'if', 'for', 'while', 'switch', 'catch'}
DECLARING = {'namespace', 'struct', 'class', 'union', 'enum', 'extern', 'concept'}
# After these words an expression begins, so a bracket after them is not an index.
BEFORE_VALUE = {'return', 'co_return', 'co_await', 'co_yield', 'case', 'throw', 'else', 'do'}
# After these a brace opens a block.
BEFORE_BLOCK = {'else', 'do', 'try', 'const', 'noexcept', 'override', 'final', 'mutable', '&', '&&'}
LABELS = {'case', 'default', 'public', 'private', 'protected'}


class Token:
    kind = 'token'

    def __init__(self, text, line, is_value=False):
        self.text, self.line, self.is_value = text, line, is_value


class Group:
    """Brackets and what is between them."""
    kind = 'group'

    def __init__(self, text, line):
        self.text, self.line, self.inside = text, line, []
        self.is_lambda_body = False


def read_tree(source):
    root = Group('', 1)
    open_groups, line = [root], 1
    for match in LEXEME.finditer(source):
        text = match.group(0)
        if match.lastgroup == 'space':
            pass
        elif text in CLOSING:
            group = Group(text, line)
            open_groups[-1].inside.append(group)
            open_groups.append(group)
        elif text in CLOSING.values():
            if len(open_groups) > 1:
                open_groups.pop()
        else:
            is_value = match.lastgroup in ('raw', 'mark', 'text', 'number')
            open_groups[-1].inside.append(Token(text, line, is_value))
        line += text.count('\n')
    return root


def is_word(node):
    return node.kind == 'token' and re.match(r'[A-Za-z_]', node.text) is not None


def is_group(node, bracket):
    return node.kind == 'group' and node.text == bracket


def is_attribute(node):
    return is_group(node, '[') and len(node.inside) == 1 and is_group(node.inside[0], '[')


def opens_lambda(nodes, at):
    """Whether nodes[at], a "[...]", is the beginning of a lambda."""
    if is_attribute(nodes[at]):
        return False
    before = nodes[at - 1] if at > 0 else None
    if before is None:
        return True
    if before.kind == 'group':
        return is_group(before, '{')  # after a block a new statement begins
    if before.text in ('auto', 'operator', 'delete', 'new'):
        return False
    if before.text in ('&', '&&') and at > 1 and nodes[at - 2].kind == 'token' \
            and nodes[at - 2].text == 'auto':
        return False  # auto& [a, b] = ...
    if before.is_value:
        return False
    return not is_word(before) or before.text in BEFORE_VALUE


def mark_lambda_body(nodes, at):
    """Finds the body of the lambda that begins at nodes[at]."""
    for node in nodes[at + 1:]:
        if is_group(node, '{'):
            node.is_lambda_body = True
            return
        if node.kind == 'token' and node.text in (';', ',', '='):
            return


def ends_signature(statement):
    """Whether `statement` is a function's head with a trailing return type: "f(...) -> T"."""
    for at in range(len(statement) - 1, 0, -1):
        node = statement[at]
        if is_group(node, '(') or (node.kind == 'token' and node.text == '='):
            return False
        if node.kind == 'token' and node.text == '->':
            before = statement[at - 1]
            return is_group(before, '(') or before.text in BEFORE_BLOCK
    return False


def opens_block(statement):
    """Whether a brace after the nodes of `statement` begins a block, not a value."""
    if not statement:
        return True
    last = statement[-1]
    if last.kind == 'group':
        return last.text in '({' or is_attribute(last)
    if last.text in BEFORE_BLOCK or last.text == ':':
        return True
    if any(node.kind == 'token' and node.text in DECLARING for node in statement) \
            and not any(node.kind == 'token' and node.text == '=' for node in statement):
        return True
    return ends_signature(statement)


class Expression:
    """What one full expression has in it."""

    def __init__(self):
        self.waits, self.faults = [], set()


class Checker:
    def __init__(self):
        self.found = []

    def check_block(self, nodes):
        """Cuts the nodes of a block into statements."""
        statement, is_head = [], False
        for at, node in enumerate(nodes):
            if is_group(node, '[') and opens_lambda(nodes, at):
                mark_lambda_body(nodes, at)
            if node.kind == 'token' and node.text == ';':
                self.check_expression(statement)
                statement = []
            elif is_group(node, '{') and not node.is_lambda_body and opens_block(statement):
                self.check_expression(statement)
                self.check_block(node.inside)
                statement = []
            elif is_group(node, '(') and is_head:
                self.check_head(node.inside)
                statement = []
            elif node.kind == 'token' and node.text == ':' and statement \
                    and statement[0].kind == 'token' and statement[0].text in LABELS:
                statement = []
            else:
                statement.append(node)
            # "if constexpr (" is a head as "if (" is.
            is_head = node.kind == 'token' and (node.text in CONTROL or
                                                (is_head and node.text == 'constexpr'))
        self.check_expression(statement)

    def check_head(self, nodes):
        """The parts of "for (a; b; c)" and of "if (a; b)" are full expressions of their own."""
        part = []
        for at, node in enumerate(nodes):
            if is_group(node, '[') and opens_lambda(nodes, at):
                mark_lambda_body(nodes, at)
            if node.kind == 'token' and node.text == ';':
                self.check_expression(part)
                part = []
            else:
                part.append(node)
        self.check_expression(part)

    def check_expression(self, nodes):
        expression = Expression()
        self.collect(nodes, expression)
        if expression.waits and expression.faults:
            self.found.append((expression.waits[0], ' and '.join(sorted(expression.faults))))

    def collect(self, nodes, expression):
        for at, node in enumerate(nodes):
            if node.kind == 'token':
                if node.text == 'co_await':
                    expression.waits.append(node.line)
                elif node.text == '?':
                    expression.faults.add('a conditional operator')
                continue
            if node.is_lambda_body:
                self.check_block(node.inside)
                continue
            if is_attribute(node):
                continue
            if is_group(node, '[') and opens_lambda(nodes, at):
                mark_lambda_body(nodes, at)
                if node.inside:
                    expression.faults.add('a lambda with captures')
            elif is_group(node, '{'):
                expression.faults.add('a value in braces')
            self.collect(node.inside, expression)


def check_text(source):
    """Returns (line, what) for each fault, in the order of the lines."""
    checker = Checker()
    checker.check_block(read_tree(source).inside)
    return sorted(checker.found)


def main(arguments):
    if arguments[:1] == ['--tree']:
        root = arguments[1]
        arguments = [os.path.join(root, name) for name in tree.files(root, ('.cpp', '.hpp'))]
    count = 0
    for path in arguments:
        with open(path, encoding='utf-8') as file:
            for line, what in check_text(file.read()):
                count += 1
                print(f'{path}:{line}: {what} in one expression with co_await')
    return 1 if count else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
