// SPDX-License-Identifier: Apache-2.0

import TestBed

/// A server on one node, two clients on the other.
struct FleetYard {
    let field: FleetField
    let server: TestWorkload
    let web: TestWorkload
    let job: TestWorkload

    var a: FleetField.Node { field.nodes[0] }
    var b: FleetField.Node { field.nodes[1] }

    init(
        _ bed: TestBed, nodes: [String] = ["a", "b"], members: Int = 1,
        configuration: String = FleetField.configuration
    ) async throws {
        field = try await FleetField(bed, nodes: nodes, members: members, configuration: configuration)
        server = try await field.nodes[0].host.addWorkload("srv", number: 2)
        web = try await field.nodes[1].host.addWorkload("web", number: 3)
        job = try await field.nodes[1].host.addWorkload("job", number: 4)
        try server.startEchoes()
        try field.nodes[0].agent.writeWorkloads([(server, "server", ["app": "server"])])
        try field.nodes[1].agent.writeWorkloads([(web, "web", ["app": "web"]), (job, "job", ["app": "job"])])
        try await eventually("the server listens") { try await web.canConnect(to: server.address4, port: 80) }
    }

    /// Who reaches the server.
    func expect(_ clients: Set<String>, _ moment: String) async throws {
        for (name, workload) in [("web", web), ("job", job)] {
            try await eventually("\(moment): \(name) reaches the server: \(clients.contains(name))") {
                try await workload.canConnect(to: server.address4, port: 80) == clients.contains(name)
            }
        }
    }
}
