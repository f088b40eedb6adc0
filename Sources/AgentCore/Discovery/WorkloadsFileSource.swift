// SPDX-License-Identifier: Apache-2.0

import LinuxHost
import NetworkModel

/// Follows the workloads file and the interfaces of what it names.
struct WorkloadsFileSource: Sendable {
    static let name = "workloads"
    /// How often namespaces are looked into: changes inside them make no noise on the host.
    private static let interval: Duration = .milliseconds(500)

    let path: String
    let state: AgentState

    /// Runs until cancelled.
    func run() async throws {
        let thread = try NamespaceThread()
        let content = WorkloadsFileContent(path: path)
        let changes = try DirectoryWatcher.changes(ofFile: path)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in changes {
                    await content.read(state)
                    await resolve(content, thread)
                }
            }
            group.addTask {
                while (try? await Task.sleep(for: WorkloadsFileSource.interval)) != nil {
                    await resolve(content, thread)
                }
            }
            await group.waitForAll()
        }
    }

    private func resolve(_ content: WorkloadsFileContent, _ thread: NamespaceThread) async {
        guard let file = await content.current else { return }
        let links = (try? RouteSession().links()) ?? []
        let namespaces = file.entries.compactMap { entry -> NetworkNamespace? in
            guard case .namespace(let text) = entry.place else { return nil }
            return WorkloadsFileSource.namespace(text)
        }
        let found = namespaces.isEmpty ? [] : await thread.interfaces(of: namespaces)
        var places = zip(namespaces, found).makeIterator()
        var workloads: [Workload] = []
        for entry in file.entries {
            var workload = Workload(
                key: "workload:\(entry.name)", name: entry.name, source: WorkloadsFileSource.name,
                labels: entry.labels, addresses: entry.addresses, interfaces: [], namedPorts: entry.namedPorts,
                options: entry.options)
            switch entry.place {
            case .interface(let device): place(&workload, on: device, links)
            case .namespace:
                if let (namespace, result) = places.next() { place(&workload, in: namespace, result, links) }
            }
            workloads.append(workload)
        }
        await state.update(
            source: WorkloadsFileSource.name, workloads: workloads, state: await content.state, location: path)
    }

    private func place(_ workload: inout Workload, on device: String, _ links: [NetworkLink]) {
        workload.details["interface"] = device
        guard let link = links.first(where: { $0.name == device }) else {
            workload.problem = "no device \(device) on this host: create it, or correct the workloads file"
            return
        }
        workload.interfaces = [.init(name: device, index: UInt32(link.index))]
    }

    private func place(
        _ workload: inout Workload, in namespace: NetworkNamespace, _ result: Result<NamespaceInterfaces, any Error>,
        _ links: [NetworkLink]
    ) {
        workload.details["netns"] = namespace.path
        switch result {
        case .failure(let error): workload.problem = "\(error)"
        case .success(let inside):
            for interface in inside.interfaces {
                // Link-local addresses are the workload's own too: neighbour discovery needs them.
                workload.addresses.formUnion(interface.addresses.map(\.address))
                guard let index = interface.hostIndex else { continue }
                let name = links.first { $0.index == index }?.name ?? "index \(index)"
                workload.interfaces.append(.init(name: name, index: UInt32(index)))
            }
            if workload.interfaces.isEmpty {
                workload.problem = "no veth of \(namespace.path) leads to this host: connect it, or name its device"
            }
        }
    }

    private static func namespace(_ text: String) -> NetworkNamespace {
        .path(text.contains("/") ? text : "/run/netns/\(text)")
    }
}

/// What the file says, and whether its newest content could be read.
private actor WorkloadsFileContent {
    private let path: String
    private(set) var current: WorkloadsFile?
    private(set) var state = "waiting"

    init(path: String) { self.path = path }

    func read(_ agent: AgentState) async {
        do {
            current = try WorkloadsFile(try readFile(path, bytesMax: 16 << 20), file: path)
            state = "watching"
            await agent.clearProblem(path)
        } catch let error as HostError where error.code == 2 {
            // No file: nobody names workloads.
            state = "absent"
            current = try? WorkloadsFile([], file: path)
            await agent.clearProblem(path)
        } catch {
            state = "has errors"
            await agent.report(path, "\(error); the workloads named before stay in force")
            guard current == nil else { return }
            await agent.update(source: WorkloadsFileSource.name, workloads: nil, state: state, location: path)
        }
    }
}
