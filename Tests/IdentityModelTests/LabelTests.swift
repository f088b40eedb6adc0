// SPDX-License-Identifier: Apache-2.0

import IdentityModel
import Testing

@Suite struct LabelTests {
    @Test(
        "reads source, key and value",
        arguments: [
            ("k8s:app=web", "k8s", "app", "web"), ("app=web", "any", "app", "web"), ("app", "any", "app", ""),
            ("reserved:world", "reserved", "world", ""), ("k8s:app=", "k8s", "app", ""),
            ("container:image=docker.io/nginx:1", "container", "image", "docker.io/nginx:1"),
            ("image=docker.io/nginx:1", "any", "image", "docker.io/nginx:1"),
            ("cidr:2001:db8::/32", "cidr", "2001:db8::/32", ""), ("k8s:a=b=c", "k8s", "a", "b=c"),
        ])
    func reads(text: String, source: String, key: String, value: String) throws {
        #expect(try Label.parse(text) == Label(source: source, key: key, value: value))
    }

    @Test("refuses an empty key and an odd source", arguments: ["", "k8s:", "=x", "K8S:app", ":app", "k 8:app=x"])
    func refuses(text: String) {
        #expect(throws: LabelSyntaxError.self) { try Label.parse(text) }
    }

    @Test("prints what it reads", arguments: ["k8s:app=web", "reserved:host", "container:a=b:c", "cidr:::1/128"])
    func roundTrips(text: String) throws {
        #expect(try Label.parse(text).description == text)
    }
}

@Suite struct LabelSetTests {
    let labels = LabelSet([
        Label(source: "k8s", key: "app", value: "web"), Label(source: "container", key: "tier", value: "front"),
        Label(source: "container", key: "app", value: "nginx"), Label(source: "k8s", key: "zone", value: "a"),
        Label(source: "reserved", key: "host"),
    ])

    @Test("is sorted by source and key whatever the order given")
    func isSorted() {
        #expect(labels.description == "container:app=nginx,container:tier=front,k8s:app=web,k8s:zone=a,reserved:host")
        #expect(LabelSet(labels.labels.reversed()) == labels)
    }

    @Test("the later of two values for one key wins")
    func laterWins() {
        let set = LabelSet([Label(source: "k8s", key: "a", value: "1"), Label(source: "k8s", key: "a", value: "2")])
        #expect(set.labels.map(\.value) == ["2"])
    }

    @Test(
        "finds values by source, or by any source in order of sources",
        arguments: [
            ("k8s", "app", "web"), ("container", "app", "nginx"), ("any", "app", "nginx"), ("any", "zone", "a"),
            ("container", "zone", nil), ("any", "absent", nil), ("workload", "app", nil), ("reserved", "host", ""),
        ] as [(String, String, String?)])
    func findsValues(source: String, key: String, expected: String?) {
        #expect(labels.value(source: source, key: key) == expected)
    }

    @Test("lookup agrees with a linear search on sets of every size")
    func lookupAgreesWithLinearSearch() {
        for size in 0..<40 {
            let set = LabelSet((0..<size).map { Label(source: "s\($0 % 3)", key: "k\($0)", value: "\($0)") })
            for probe in 0..<45 {
                let expected = set.labels.first { $0.key == "k\(probe)" }?.value
                #expect(set.value(source: LabelSource.any, key: "k\(probe)") == expected)
                #expect(set.value(source: "s\(probe % 3)", key: "k\(probe)") == expected)
            }
        }
    }

    @Test("reads what it prints")
    func roundTrips() throws {
        #expect(try LabelSet.parse(labels.description) == labels)
        #expect(try LabelSet.parse("") == .empty)
    }
}

@Suite struct LabelSelectorTests {
    let labels = LabelSet([
        Label(source: "k8s", key: "app", value: "web"), Label(source: "container", key: "tier", value: "front"),
    ])

    @Test(
        "judges each operator on present and absent keys",
        arguments: [
            (LabelRequirement(key: "app", .isIn(["web", "db"])), true),
            (LabelRequirement(key: "app", .isIn(["db"])), false),
            (LabelRequirement(key: "absent", .isIn(["db"])), false),
            (LabelRequirement(key: "app", .isNotIn(["web"])), false),
            (LabelRequirement(key: "app", .isNotIn(["db"])), true),
            (LabelRequirement(key: "absent", .isNotIn(["db"])), true),
            (LabelRequirement(key: "tier", .exists), true), (LabelRequirement(key: "absent", .exists), false),
            (LabelRequirement(key: "absent", .doesNotExist), true),
            (LabelRequirement(key: "tier", .doesNotExist), false),
            (LabelRequirement(source: "k8s", key: "tier", .exists), false),
            (LabelRequirement(source: "container", key: "tier", .isIn(["front"])), true),
        ])
    func judges(requirement: LabelRequirement, expected: Bool) {
        #expect(LabelSelector([requirement]).matches(labels) == expected)
    }

    @Test("every requirement must hold, and none at all matches everything")
    func requiresAll() {
        let app = LabelRequirement(key: "app", .isIn(["web"]))
        #expect(LabelSelector([app, LabelRequirement(key: "tier", .exists)]).matches(labels))
        #expect(!LabelSelector([app, LabelRequirement(key: "absent", .exists)]).matches(labels))
        #expect(LabelSelector().matches(.empty))
    }

    @Test("prints each operator")
    func prints() {
        let selector = LabelSelector([
            .equal(source: "k8s", key: "a", value: "1"), LabelRequirement(key: "b", .isIn(["x", "y"])),
            LabelRequirement(key: "c", .isNotIn(["z"])), LabelRequirement(key: "d", .isNotIn(["x", "y"])),
            LabelRequirement(key: "e", .exists), LabelRequirement(key: "f", .doesNotExist),
        ])
        #expect(selector.description == "k8s:a=1,any:b in (x,y),any:c!=z,any:d notin (x,y),any:e,!any:f")
        #expect(LabelSelector().description == "*")
    }
}

@Suite struct LabelFilterTests {
    @Test(
        "keeps what says what a workload is for and drops what says which instance it is",
        arguments: [
            ("container:app=web", true), ("container:com.docker.compose.service=db", true),
            ("container:com.docker.compose.project=shop", true), ("container:com.docker.compose.config-hash=1f", false),
            ("container:com.docker.compose.project.working_dir=/x", false),
            ("container:org.opencontainers.image.version=1", false), ("container:io.buildah.version=1.28", false),
            ("container:PODMAN_SYSTEMD_UNIT=web.service", false), ("k8s:pod-template-hash=abc", false),
            ("k8s:io.kubernetes.pod.namespace=shop", true), ("k8s:io.kubernetes.container.hash=1", false),
            ("k8s:io.cilium.k8s.namespace.labels.team=a", true), ("reserved:host", true),
            ("workload:description=kept", true), ("container:maintainer=someone", false), ("k8s:app=web", true),
        ])
    func hasSensibleDefaults(text: String, expected: Bool) throws {
        #expect(LabelFilter().keeps(try Label.parse(text)) == expected)
    }

    @Test("a longer prefix decides against a shorter one")
    func longerPrefixDecides() throws {
        let filter = LabelFilter(only: [try .parse("!container:com."), try .parse("container:com.example.")])
        #expect(filter.keeps(try .parse("container:com.example.tier=a")))
        #expect(!filter.keeps(try .parse("container:com.other=a")))
    }

    @Test("an including rule of the user leaves out everything else")
    func includingRuleNarrows() throws {
        let filter = LabelFilter([try .parse("container:app")])
        let labels = try LabelSet.parse("container:app=web,container:build=7,k8s:io.kubernetes.pod.namespace=shop")
        #expect(
            filter.identityLabels(of: labels.labels).description
                == "container:app=web,k8s:io.kubernetes.pod.namespace=shop")
    }

    @Test("an excluding rule of the user takes away only what it names")
    func excludingRule() throws {
        let filter = LabelFilter([try .parse("!build")])
        let labels = try LabelSet.parse("container:app=web,container:build=7,container:builder=me")
        #expect(filter.identityLabels(of: labels.labels).description == "container:app=web")
    }

    @Test("a rule prints what it reads", arguments: ["!container:com.", "app", "!app", "k8s:"])
    func ruleRoundTrips(text: String) throws {
        #expect(try LabelFilter.Rule.parse(text).description == text)
    }

    @Test("refuses rules about nothing or about values", arguments: ["", "!", "app=web", "a b", "K:a"])
    func refuses(text: String) {
        #expect(throws: LabelSyntaxError.self) { try LabelFilter.Rule.parse(text) }
    }
}
