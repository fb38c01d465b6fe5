//
// OpenAPIDocument.swift: the history API's description, made from the routes themselves.
//
// OpenAPI 3.1.1 (https://spec.openapis.org/oas/v3.1.1.html).
//

import NIOCore

/// `/openapi.json`.
enum OpenAPIDocument {
    static let bytes: [UInt8] = make()

    private static func make() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("openapi", "3.1.1")
            json.name("info")
            json.object { json in
                json.member("title", "Target Ledger: history")
                json.member("version", "1")
                json.member(
                    "description", "When and why each target moved, from a record that is complete and provable.")
            }
            json.name("paths")
            json.object { json in
                for route in HistoryRoute.all {
                    json.name(route.path)
                    json.object { json in
                        json.name("get")
                        operation(route, &json)
                    }
                }
                json.name(RevisionFeed.path)
                json.object { json in
                    json.name("get")
                    json.object { feed(&$0) }
                }
            }
            json.name("components")
            json.object { components(&$0) }
        }
        json.newline()
        return json.bytes
    }

    private static func operation(_ route: HistoryRoute, _ json: inout JSONWriter) {
        json.object { json in
            json.member("summary", route.summary)
            json.member("operationId", operationName(route.path))
            json.name("parameters")
            json.list(route.parameters) { parameter(of: $0, &$1) }
            json.name("responses")
            json.object { json in
                json.name("200")
                json.object { json in
                    json.member("description", "The answer.")
                    json.name("content")
                    json.object { json in
                        for content in route.contents {
                            json.name(content.type)
                            json.object { json in
                                json.name("schema")
                                content.schema.write(to: &json)
                            }
                        }
                    }
                }
                writeProblems(&json)
            }
        }
    }

    private static func writeProblems(_ json: inout JSONWriter) {
        for (status, description) in problems {
            json.name(status)
            json.object { json in
                json.member("description", description)
                json.name("content")
                json.object { json in
                    json.name("application/problem+json")
                    json.object { json in
                        json.name("schema")
                        Schema.reference("Problem").write(to: &json)
                    }
                }
            }
        }
    }

    /// Events have no schema of their own in OpenAPI 3.1: the data of one is described as a component.
    private static func feed(_ json: inout JSONWriter) {
        json.member("summary", "Revisions as they are published, as server-sent events, until the client hangs up.")
        json.member("operationId", "events")
        json.name("parameters")
        json.list([0]) { _, json in
            json.object { json in
                json.member("name", "Last-Event-ID")
                json.member("in", "header")
                json.member(
                    "description", "The revision that came last; the next one is sent first. The latest when left out.")
                json.name("required")
                json.boolean(false)
                json.name("schema")
                Schema.text(pattern: "^[0-9]{1,18}$").write(to: &json)
            }
        }
        json.name("responses")
        json.object { json in
            json.name("200")
            json.object { json in
                json.member(
                    "description",
                    "Events named `revision`, each once and in order, whose id is the revision's number and whose data is a "
                        + "`RevisionMessage`; and `bookmark` without data after silence, whose id is the last revision."
                )
                json.name("content")
                json.object { json in
                    json.name("text/event-stream")
                    json.object { json in
                        json.name("schema")
                        Schema.text().write(to: &json)
                    }
                }
            }
            writeProblems(&json)
        }
    }

    private static let problems = [
        ("400", "A parameter is wrong; its name and what is allowed."), ("401", "A bearer token is needed."),
        ("404", "Not recorded, or not yet."), ("410", "Removed by retention; the oldest that is kept."),
        ("429", "Another such question is being answered; ask again after `Retry-After` seconds."),
        ("503", "The ledger cannot be read now, or nothing took that long."),
    ]

    private static let problem = SchemaComponent(
        schema: .object([
            .init(name: "type", schema: .text(), description: "Always `about:blank`."),
            .init(name: "title", schema: .text(), description: "The status in words."),
            .init(name: "status", schema: .integer(minimum: 400, maximum: 599), description: "The status."),
            .init(name: "detail", schema: .text(), description: "What went wrong, and what is allowed."),
            .init(name: "parameter", schema: .text(), description: "The parameter at fault.", isOptional: true),
            .init(name: "reasons", schema: .list(.text()), description: "Further facts.", isOptional: true),
        ]), description: "What went wrong (RFC 9457).")

    /// `/api/v1/targets/{identity}/history` → `targets_identity_history`.
    private static func operationName(_ path: String) -> String {
        path.split(separator: "/").dropFirst(2).map { $0.filter { $0 != "{" && $0 != "}" } }.joined(separator: "_")
    }

    private static func parameter(of parameter: HistoryParameter, _ json: inout JSONWriter) {
        json.object { json in
            json.member("name", parameter.name)
            json.member("in", parameter.isInPath ? "path" : "query")
            json.member("description", parameter.description)
            json.name("required")
            json.boolean(parameter.isRequired)
            json.name("schema")
            (parameter.isRepeated ? Schema.list(parameter.schema) : parameter.schema).write(to: &json)
            if parameter.isRepeated {
                json.name("explode")
                json.boolean(true)
            }
        }
    }

    private static func components(_ json: inout JSONWriter) {
        var all = HistoryRoute.all.reduce(into: [String: SchemaComponent]()) { all, route in
            all.merge(route.components) { first, _ in first }
        }
        all["Problem"] = problem
        all.merge(JSONShape.revisionMessage.components) { first, _ in first }
        json.name("schemas")
        json.object { json in
            for (name, component) in all.sorted(by: { $0.key < $1.key }) {
                json.name(name)
                component.schema.write(to: &json, description: component.description)
            }
        }
        json.name("securitySchemes")
        json.object { json in
            json.name("bearer")
            json.object { json in
                json.member("type", "http")
                json.member("scheme", "bearer")
            }
        }
    }
}
