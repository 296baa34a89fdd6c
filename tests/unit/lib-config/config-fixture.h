// A folder of configuration files that goes away with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lib-config/load.h"

namespace culver {

class ConfigTest : public testing::Test {
protected:
    ConfigTest() {
        char name[] = "/tmp/culver-config-XXXXXX";
        folder_ = mkdtemp(name);
    }
    ~ConfigTest() override { std::filesystem::remove_all(folder_); }

    std::string path(const std::string& name) const { return folder_ + "/" + name; }
    std::string write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name), std::ios::binary) << text;
        return path(name);
    }
    using Overrides = std::vector<std::pair<std::string, std::string>>;
    LoadedSettings load(const std::string& text, Overrides overrides = {}) const {
        LoadOptions options;
        options.path = write("dovecot.conf", text);
        options.overrides = std::move(overrides);
        return load_settings(options);
    }
    // The settings of a text that has to be right.
    std::shared_ptr<const Settings> settings(const std::string& text) const {
        auto loaded = load(text);
        EXPECT_TRUE(loaded.settings) << text << "\n" << format_diagnostics(loaded.diagnostics, "test");
        return loaded.settings;
    }
    // "line: text" of each diagnostic of one severity.
    static std::vector<std::string> texts(const std::vector<Diagnostic>& found, Severity severity) {
        std::vector<std::string> out;
        for (const auto& each : found)
            if (each.severity == severity) out.push_back(std::to_string(each.where.line) + ": " + each.text);
        return out;
    }

    std::string folder_;
};

}  // namespace culver
