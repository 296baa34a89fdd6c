// Settings as programs use them: views, overrides, the form between processes, services.
#include "lib-config/settings.h"

#include "config-fixture.h"
#include "lib-config/print.h"
#include "lib-config/setting-spec.h"

namespace culver {
namespace {

using SettingsTest = ConfigTest;

// The root of the source tree.
const std::filesystem::path kSource = std::filesystem::path(__FILE__).parent_path() / "../../..";

constexpr char kFilters[] =
    "mail_home = global\n"
    "protocol imap {\n mail_home = imap\n mail_uid = imap\n}\n"
    "protocol !imap {\n mail_uid = other\n}\n"
    "remote 10.0.0.0/8 {\n mail_home = remote\n}\n"
    "local 127.0.0.1 {\n mail_home = local\n protocol lmtp {\n  mail_home = local-lmtp\n }\n}\n"
    "local_name \"a.example *.b.example\" {\n mail_home = name\n}\n";

TEST_F(SettingsTest, TheMostSpecificFilterWins) {
    auto s = settings(kFilters);
    SettingFilter imap{"imap", {}, {}, {}};
    EXPECT_EQ(s->string("mail_home"), "global");
    EXPECT_EQ(s->string("mail_uid"), "");
    EXPECT_EQ(s->for_filter(imap)->string("mail_home"), "imap");
    EXPECT_EQ(s->for_filter({"lmtp", {}, {}, {}})->string("mail_uid"), "other");
    auto local = IpAddress::parse("127.0.0.1"), remote = IpAddress::parse("10.1.2.3");
    EXPECT_EQ(s->for_filter({"imap", {}, {}, remote})->string("mail_home"), "remote");
    EXPECT_EQ(s->for_filter({"imap", {}, local, remote})->string("mail_home"), "local");
    EXPECT_EQ(s->for_filter({"lmtp", {}, local, remote})->string("mail_home"), "local-lmtp");
    EXPECT_EQ(s->for_filter({"imap", "x.b.example", local, {}})->string("mail_home"), "name");
    EXPECT_EQ(s->for_filter({"imap", "B.EXAMPLE", {}, {}})->string("mail_home"), "imap");
    EXPECT_EQ(s->local_names(), (std::vector<std::string>{"a.example", "*.b.example"}));
}

TEST_F(SettingsTest, OfProtocolFiltersTheFirstCounts) {
    const std::string imap = "protocol imap {\n mail_uid = imap\n passdb {\n  driver = static\n }\n}\n",
                      others = "protocol !lmtp {\n mail_uid = others\n passdb {\n  driver = pam\n }\n}\n",
                      again = "protocol imap {\n mail_gid = again\n}\n";
    for (const auto& [text, uid, driver] : {std::tuple{imap + others, "imap", "static"},
                                            {others + imap, "others", "pam"},
                                            {imap + others + again, "imap", "static"},
                                            {again + others + imap, "imap", "static"}}) {
        auto view = settings(text)->for_filter({"imap", {}, {}, {}});
        EXPECT_EQ(view->string("mail_uid"), uid) << text;
        ASSERT_EQ(view->passdbs().size(), 2U);
        EXPECT_EQ(view->passdbs()[0].driver, driver) << text;
    }
}

TEST_F(SettingsTest, AViewOfAViewKnowsBothFilters) {
    auto imap = settings(kFilters)->for_filter({"imap", {}, {}, {}});
    auto view = imap->for_filter({{}, {}, {}, IpAddress::parse("10.1.2.3")});
    EXPECT_EQ(view->string("mail_home"), "remote");
    EXPECT_EQ(view->string("mail_uid"), "imap");
}

TEST_F(SettingsTest, WithoutFilterBlocksAViewIsTheSameObject) {
    auto s = settings("mail_home = x\n");
    EXPECT_EQ(s->for_filter({"imap", {}, {}, {}}), s);
}

TEST_F(SettingsTest, DatabasesOfAFilterAreAskedFirst) {
    auto s = settings("passdb {\n driver = pam\n}\nprotocol imap {\n passdb {\n  driver = static\n }\n}\n");
    EXPECT_EQ(s->passdbs().size(), 1U);
    auto imap = s->for_filter({"imap", {}, {}, {}});
    ASSERT_EQ(imap->passdbs().size(), 2U);
    EXPECT_EQ(imap->passdbs()[0].driver, "static");
}

TEST_F(SettingsTest, OverridesReachScalarsPluginAndNamespaces) {
    auto s = settings(
        "mail_location = a\nnamespace inbox {\n inbox = yes\n}\nplugin {\n quota = x\n}\nprotocol imap {\n mail_uid = "
        "q\n}\n");
    auto changed = s->with_overrides({{"mail", "maildir:/y"},
                                      {"plugin/quota", "z"},
                                      {"namespace/inbox/separator", "/"},
                                      {"mail_max_userip_connections", "3"}});
    ASSERT_TRUE(changed) << changed.error().detail;
    for (const auto& each : {*changed, (*changed)->for_filter({"imap", {}, {}, {}})}) {
        EXPECT_EQ(each->string("mail_location"), "maildir:/y");
        EXPECT_EQ(each->plugin("quota"), "z");
        EXPECT_EQ(each->namespaces()[0].separator, "/");
        EXPECT_EQ(each->number("mail_max_userip_connections"), 3U);
    }
    EXPECT_EQ(s->string("mail_location"), "a");
    EXPECT_FALSE(s->with_overrides({{"nope", "x"}}));
    EXPECT_FALSE(s->with_overrides({{"mail_debug", "maybe"}}));
    EXPECT_FALSE(s->with_overrides({{"namespace/nope/prefix", "x"}}));
    EXPECT_EQ(s->with_overrides({{"ssl", "maybe"}}).error().code, ErrorCode::InvalidArgument);
}

TEST_F(SettingsTest, TravelThroughBytesUnchanged) {
    auto s = settings(std::string(kFilters) +
                      "passdb {\n driver = pam\n}\nservice auth {\n unix_listener /x/y {\n  mode = 0660\n }\n}\n");
    auto copy = Settings::deserialize(s->serialize());
    ASSERT_TRUE(copy);
    EXPECT_EQ((*copy)->serialize(), s->serialize());
    EXPECT_EQ((*copy)->for_filter({"imap", {}, {}, {}})->string("mail_home"), "imap");
    EXPECT_EQ((*copy)->passdbs()[0].origin.to_string(), s->passdbs()[0].origin.to_string());
    EXPECT_EQ(print_settings(**copy, {}), print_settings(*s, {}));
}

TEST_F(SettingsTest, DamagedBytesAreRefused) {
    std::string bytes = settings(kFilters)->serialize();
    for (std::size_t length = 0; length < bytes.size(); length += 97)
        EXPECT_FALSE(Settings::deserialize(std::string_view(bytes).substr(0, length)));
    for (std::size_t i = 0; i < bytes.size(); i += 13) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ 0xff);
        (void)Settings::deserialize(damaged);  // whatever it gives, nothing breaks
    }
    EXPECT_FALSE(Settings::deserialize(bytes + "x"));
}

TEST_F(SettingsTest, SecretsStayWithRoot) {
    write("key", "SECRETKEY");
    auto s = settings(
        "ssl_key = <key\nssl_cert = cert\ndoveadm_password = SECRETPW\nlocal_name x {\n ssl_key = SECRETOTHER\n}\n");
    EXPECT_EQ(s->string("ssl_key"), "SECRETKEY");
    auto safe = s->without_secrets();
    EXPECT_EQ(safe->string("ssl_key"), "");
    EXPECT_EQ(safe->string("ssl_cert"), "cert");
    EXPECT_EQ(safe->serialize().find("SECRET"), std::string::npos);
}

TEST_F(SettingsTest, ServicesHaveDovecotsDefaultsResolved) {
    auto s = settings(
        "default_client_limit = 77\ndefault_vsz_limit = 1 G\ndefault_internal_user = me\n"
        "service imap {\n process_limit = 5\n}\nservice mine {\n executable = mine\n inet_listener {\n  port = 99\n "
        "}\n}\n");
    const auto* imap = s->find_service("imap");
    ASSERT_NE(imap, nullptr);
    EXPECT_EQ(imap->process_limit, 5U);
    EXPECT_EQ(imap->origin.line, 4U);
    EXPECT_EQ(imap->client_limit, 1000U);  // many sessions in one worker
    EXPECT_EQ(imap->service_count, 0U);
    EXPECT_EQ(imap->vsz_limit, 1ULL << 30);
    const auto* auth = s->find_service("auth");
    EXPECT_EQ(auth->user, "me");
    EXPECT_EQ(auth->client_limit, 77U);
    EXPECT_EQ(auth->listeners.size(), 6U);
    const auto* login = s->find_service("imap-login");
    EXPECT_EQ(login->user, "dovenull");
    EXPECT_EQ(login->chroot, "login");
    EXPECT_EQ(login->listeners[1].port, 993);
    EXPECT_TRUE(login->listeners[1].ssl);
    EXPECT_EQ(s->find_service("config")->idle_kill, std::chrono::seconds(4294967295));
    ASSERT_EQ(s->find_service("mine")->listeners.size(), 1U);
    EXPECT_EQ(s->find_service("mine")->listeners[0].port, 99);
    EXPECT_EQ(s->find_service("nope"), nullptr);
}

TEST_F(SettingsTest, EverySettingHasAHelpLineAndAValidDefault) {
    for (std::size_t kind = 0; kind < kBlockKinds; ++kind)
        for (const auto& spec : block_spec(static_cast<BlockKind>(kind)).settings) {
            EXPECT_FALSE(spec.help.empty()) << spec.name;
            EXPECT_EQ(spec.type == SettingType::Choice, !spec.choices.empty()) << spec.name;
        }
    // Those of Dovecot 2.3 with Pigeonhole, and ours, whose help says so.
    std::size_t own = 0;
    for (const auto& spec : block_spec(BlockKind::Root).settings)
        own += spec.help.find("Culver's own") != spec.help.npos;
    EXPECT_EQ(own, 3U);
    EXPECT_EQ(block_spec(BlockKind::Root).settings.size() - own, 314U);
}

TEST_F(SettingsTest, TheSettingsPageIsCurrent) {
    std::ifstream file(kSource / "docs/settings.md");
    std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    EXPECT_TRUE(page == print_settings_page()) << "run: doveconf --settings-page > docs/settings.md";
}

TEST_F(SettingsTest, TheShippedConfigurationHasNoMistakes) {
    std::filesystem::create_directories(path("conf.d"));
    for (const auto& entry : std::filesystem::directory_iterator(kSource / "conf.d")) {
        auto name = entry.path().filename().string();
        std::filesystem::copy(entry.path(), name == "dovecot.conf" ? path(name) : path("conf.d/" + name));
    }
    LoadOptions options;
    options.path = path("dovecot.conf");
    for (const char* users : {"", "passwdfile", "system", "static", "deny", "master"}) {
        if (*users != '\0') write("local.conf", std::string("!include conf.d/auth-") + users + ".conf.ext\n");
        auto loaded = load_settings(options);
        EXPECT_TRUE(loaded.settings && loaded.diagnostics.empty()) << format_diagnostics(loaded.diagnostics, users);
    }
}

}  // namespace
}  // namespace culver
