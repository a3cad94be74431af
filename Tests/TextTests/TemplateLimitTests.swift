import Testing
import Text

/// Templates that are wrong, or would take the machine for themselves.
struct TemplateLimitTests {
    private static let bombs = [
        "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}"
            + "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}"
            + "{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(999) %}"
            + "{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
            + "{% endfor %}{% endfor %}{% endfor %}",
        "{{ range(99999999999999) | list }}", "{{ 'a' * 999999999999999999 }}",
        "{{ 'aaaa'.replace('a', 'b' * 1000000).replace('b', 'c' * 1000000) }}",
        "{% set n = namespace() %}{% set n.a = n %}{{ n }}",
        String(repeating: "{% if true %}", count: 5000)
            + String(repeating: "{% endif %}", count: 5000),
        "{{ " + String(repeating: "(", count: 9999) + "1" + String(repeating: ")", count: 9999)
            + " }}",
        "{{ 1" + String(repeating: " + 1", count: 99999) + " }}",
        "{{ " + String(repeating: "not ", count: 99999) + "1" + String(repeating: ".a", count: 9999)
            + " }}",
        String(repeating: "x", count: 2_000_000),
    ]

    @Test(arguments: bombs.indices)
    func aBombIsDefused(index: Int) {
        let error = #expect(throws: TemplateError.self) {
            _ = try ChatTemplate(Self.bombs[index]).render([ChatMessage(.user, "q")])
        }
        guard case .overLimit = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        "{{ 1", "{% if %}{% endif %}", "{% if x %}", "{% endif %}", "{{ }}", "{{ 'a }}", "{# x",
        "{{ a b }}", "{% for x %}{% endfor %}", "{{ 1 ? 2 }}", "{{ [1, }}", "{{ x[1:2:3:4] }}",
        "{% set 1 = 2 %}", "{{ 99999999999999999999 }}",
    ])
    func whatIsNoTemplateIsASyntaxError(source: String) {
        let error = #expect(throws: TemplateError.self) { try ChatTemplate(source) }
        guard case .syntax = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        "{{ 9223372036854775807 + 1 }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1 / 0 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ x.y.z }}", "{{ 'a' + 1 }}", "{{ 1 < 'a' }}",
        "{{ [1][0:1:0] }}", "{% for a, b in [1] %}{% endfor %}", "{{ 1() }}", "{{ none | items }}",
        "{{ 'a'.split('') }}", "{{ 'a'.replace('', 'b') }}", "{{ -(-9223372036854775807 - 1) }}",
        "{{ {1: 2} }}", "{% set messages.x = 1 %}", "{{ range(1, 2, 0) }}",
        "{{ [] | tojson(x) }}{{ y | tojson }}",
    ])
    func aValueThatDoesNotFitIsAnErrorWithItsLine(source: String) throws {
        let template = try ChatTemplate("\n\n" + source)
        let error = #expect(throws: TemplateError.self) {
            try template.render([ChatMessage(.user, "q")])
        }
        guard case .wrongValue(3, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        "{{ 1 | shuffle }}", "{% macro a() %}{% endmacro %}", "{{ 1 is weird }}", "{{ open('x') }}",
        "{{ 'a'.format(1) }}", "{{ 2 ** 3 }}", "{{ messages.append(1) }}",
    ])
    func whatIsNotSupportedIsNamedWithWhatIs(source: String) {
        let error = #expect(throws: TemplateError.self) {
            _ = try ChatTemplate(source).render([ChatMessage(.user, "q")])
        }
        guard case .unsupported(1, _, let allowed) = error, !allowed.isEmpty else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
