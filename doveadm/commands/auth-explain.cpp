// doveadm auth explain: walks the road of a login step by step and says in words what would happen and what to mend.
#include <fmt/format.h>

#include "doveadm/auth-arguments.h"
#include "doveadm/commands.h"
#include "doveadm/explain.h"
#include "lib-auth/auth-master-client.h"
#include "lib-base/text.h"

namespace culver::doveadm {

namespace {

// A server that was not reloaded, or reads other files, decides otherwise.
void compare_with_authd(Road& road) {
    if (road.exists == UserResult::Kind::InternalFailure) return;
    const bool found = road.exists == UserResult::Kind::Found;
    AuthMasterClient client(road.call.socket_path(road.call.settings()->string("auth_socket_path")));
    auto record = client.lookup_user(UserLookup{road.request.translated_user, "lmtp", "", "", ""});
    if (!record) return road.say("running server: " + record.error().detail);
    std::vector<std::string> differences;
    if (record->has_value() != found) {
        differences.push_back(*record ? "it knows the user" : "it does not know the user");
    } else if (*record) {
        for (const AuthField& field : road.delivery_fields) {
            const std::string* value = (*record)->find(field.key);
            if (!value || *value != field.value)
                differences.push_back(value ? fmt::format("{}={}", field.key, *value) : "no " + field.key);
        }
        for (const auto& [key, value] : (*record)->fields)
            if (!road.delivery_fields.contains(key)) differences.push_back(fmt::format("{}={}", key, value));
    }
    if (differences.empty()) return road.say("running server: its userdbs say the same");
    road.say("running server: its userdbs say otherwise: " + join(differences, ", "));
    road.conclude(kExitTemporary, "The running server does not have this configuration: doveadm reload.");
}

int walk(Invocation& call, const std::string& name) {
    PasswdFileRegistry files;
    DriverContext context;
    context.files = &files;
    Road road{call,  AuthSettings::from(*call.settings()), context, {}, {},     {}, false,
              false, UserResult::Kind::InternalFailure,    {},      {}, kExitOk};
    if (auto engine = AuthEngine::create(road.settings, context); !engine) {
        road.say("=> The configuration lets nobody log in: " + engine.error().detail);
        return kExitConfiguration;
    }
    const AuthStart start = auth_start(call);
    road.request.service = start.service == "doveadm" ? "imap" : start.service;
    road.request.remote_ip = start.remote_ip;
    road.request.local_ip = start.local_ip;
    road.request.secured = start.secured;
    if (call.arguments().size() > 1) road.password.emplace(call.arguments()[1]);
    if (explain_name(road, name)) {
        explain_connection(road);
        explain_app_passwords(road);
        if (explain_passdbs(road) && explain_userdbs(road) && !road.request.fields.contains("proxy"))
            explain_mail(road);
        explain_delivery(road);
        compare_with_authd(road);
    }
    for (const std::string& text : road.verdict) road.say("=> " + text);
    if (road.verdict.empty())
        road.say(road.password ? "=> A login with this password succeeds."
                               : "=> A login with the right password succeeds.");
    return road.code;
}

int run(Invocation& call) {
    if (call.arguments().empty() || call.arguments().size() > 2) return call.usage();
    if (const int bad = check_auth_info(call); bad != kExitOk) return bad;
    return walk(call, call.arguments()[0]);
}

}  // namespace

const CommandSpec kAuthExplain = {
    .words = "auth explain",
    .synopsis = "[-x <auth info>] <user> [<password>]",
    .help = "Walks through a user's login step by step and says what it would do and what to mend.",
    .options = {kAuthInfoOption},
    .run = run,
};

}  // namespace culver::doveadm
