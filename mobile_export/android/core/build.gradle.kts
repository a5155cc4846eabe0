import org.jetbrains.kotlin.gradle.dsl.JvmTarget

// Everything that needs no phone: its tests run on a plain JVM.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

java {
    sourceCompatibility = JavaVersion.VERSION_17
    targetCompatibility = JavaVersion.VERSION_17
}

kotlin {
    compilerOptions { jvmTarget.set(JvmTarget.JVM_17) }
}

dependencies {
    // Android brings its own org.json.
    compileOnly(libs.json)
    testImplementation(libs.json)
    testImplementation(libs.junit)
}
