// SPDX-License-Identifier: Apache-2.0

import ControlAPI

/// The shield for people.
enum ShieldRendering {
    static func lines(_ report: ShieldReport) -> [String] {
        guard report.mode != "off" else {
            return ["shield: off; set `shield.mode` in the agent's configuration to monitor or enforce"]
                + synDefenceLines(report.synDefence)
        }
        var lines = ["shield: \(report.mode)", ""]
        var devices = TextTable(["DEVICE", "HOOK", "WHY"])
        for device in report.devices {
            devices.add([device.name, device.hook ?? "none", device.problem ?? device.reason ?? ""])
        }
        lines += devices.lines(none: "no device is shielded")
        lines += [
            "",
            "passed \(report.passed), not IP \(report.notIP), allowed by a feed \(report.allowed), failsafe \(report.failsafe)",
            "questions to reflectors \(report.questions), answers \(report.answers)", "",
        ]
        var drops = TextTable(["REASON", "PACKETS", "BYTES", "VERDICT"])
        for drop in report.drops {
            drops.add([drop.reason, "\(drop.packets)", "\(drop.bytes)", drop.wouldDrop ? "would drop" : "dropped"])
        }
        lines += drops.lines(none: "nothing was dropped")
        if report.events > 0 { lines.append("told as flows: \(report.events), without room: \(report.lostEvents)") }
        for scope in ["source", "network", "destination"] {
            let (over, unknown) = (report.limited[scope] ?? 0, report.unlimited[scope] ?? 0)
            if over > 0 { lines.append("over a limit by \(scope): \(over) packets") }
            if unknown > 0 {
                lines.append(
                    "not limited by \(scope), for all places were taken: \(unknown) packets; raise `limitEntries`")
            }
        }
        lines += ["", "blocks: \(report.blocks.count) of \(report.blockCapacity), refused \(report.refusedBlocks)"]
        if !report.blocks.isEmpty { lines += blockLines(report.blocks) }
        lines += ["", "feeds: \(report.feedBytes >> 20) MiB"]
        if !report.feeds.isEmpty { lines += feedLines(report.feeds) }
        lines += synDefenceLines(report.synDefence)
        if !report.problems.isEmpty { lines += ["", "Problems"] + report.problems.map { "  \($0)" } }
        return lines
    }

    static func synDefenceLines(_ report: SynDefenceReport?) -> [String] {
        guard let report else { return ["", "SYN defence: off; `shield.synDefence: auto` switches it on"] }
        var lines = [
            "", "SYN defence: \(report.mode), \(report.hasOwnCookies ? "own cookies" : "the kernel's cookies")",
        ]
        lines.append(
            "answered \(report.answered) (\(report.answeredAhead) ahead of the listener's namespace), accepted \(report.accepted), refused \(report.refused), too old \(report.stale), "
                + "accept queue full \(report.queueFull), left to the kernel \(report.left)")
        var places = TextTable(["PLACE", "KIND", "FRONT", "LIMITS", "PROBLEM"])
        for place in report.places {
            places.add([
                place.name, place.isWorkload ? "workload" : "device", place.front ?? "",
                place.limits.joined(separator: "; "),
                place.problem ?? "",
            ])
        }
        lines += places.lines(none: "no device and no workload has it")
        var listeners = TextTable(["LISTENER", "PORT", "DEFENDED", "TIMES", "OBSTACLES"])
        for listener in report.listeners {
            listeners.add([
                listener.address, "\(listener.port)", listener.isDefended ? "now" : "no", "\(listener.engagements)",
                listener.obstacles.joined(separator: "; "),
            ])
        }
        lines += listeners.lines(none: "no listener was under load")
        if !report.behind.isEmpty {
            let servers = report.behind.map { behind in
                "\(behind.network) port \(behind.ports.map(String.init).joined(separator: ", "))"
            }
            lines.append(
                "other machines: \(servers.joined(separator: "; ")); \(report.openedBehind) connections translated")
        }
        if !report.published.isEmpty {
            var published = TextTable(["PUBLISHED", "PORT", "FOR", "ITS PORT", "PROBLEM"])
            for port in report.published {
                published.add([port.address, "\(port.port)", port.target, "\(port.targetPort)", port.problem ?? ""])
            }
            lines += published.lines(none: "")
        }
        return lines + report.problems.map { "  \($0)" }
    }

    static func feedLines(_ feeds: [ShieldFeedReport]) -> [String] {
        var table = TextTable(["FEED", "ACTION", "PREFIXES", "PACKETS", "BYTES", "FAULTS", "LOADED", "PATH"])
        for feed in feeds {
            table.add([
                feed.name, feed.action, "\(feed.prefixes)", "\(feed.packets)", "\(feed.bytes)", "\(feed.faults)",
                feed.loadedAt ?? (feed.isRemembered == true ? "before start" : ""), feed.path,
            ])
        }
        let notes = feeds.flatMap { feed in
            (feed.problem.map { ["\(feed.name): \($0)"] } ?? []) + feed.firstFaults
        }
        let spared = feeds.compactMap { feed in
            feed.spared.map { "\(feed.name) names \($0.joined(separator: ", ")), which this host needs: not cut off" }
        }
        return table.lines(none: "no feeds: name them in `shield.feeds` of the agent's configuration") + spared
            + (notes.isEmpty ? [] : ["", "Problems"] + notes.map { "  \($0)" })
    }

    static func blockLines(_ blocks: [ShieldBlockReport]) -> [String] {
        var table = TextTable(["BLOCKED", "ENDS IN", "PACKETS", "BYTES", "CAUSE"])
        for block in blocks {
            table.add([block.prefix, "\(block.secondsLeft)s", "\(block.packets)", "\(block.bytes)", block.cause])
        }
        return table.lines(none: "nobody is blocked")
    }
}
