// SPDX-License-Identifier: MIT
// A window of Qt Quick: gradients, turned text, layers. Its picture is written to the last argument.
import QtQuick

Window {
    id: window
    width: 300
    height: 200
    visible: true
    color: "white"

    property int frames: 0

    Rectangle {
        x: 20; y: 20; width: 100; height: 100
        radius: 20
        rotation: 30
        antialiasing: true
        gradient: Gradient {
            GradientStop { position: 0; color: "red" }
            GradientStop { position: 1; color: "blue" }
        }
    }
    Text {
        x: 140; y: 30
        text: "Viaduct"
        font.pixelSize: 32
        rotation: 10
    }
    Item {
        x: 150; y: 90; width: 120; height: 80
        layer.enabled: true
        opacity: 0.5
        Repeater {
            model: 12
            Rectangle { x: index * 8; y: index * 4; width: 30; height: 30; color: Qt.hsla(index / 12, 1, 0.5, 1) }
        }
    }
    Rectangle {
        id: counter
        width: 4; height: 4
        color: "black"
        readonly property bool byVulkan: GraphicsInfo.api === GraphicsInfo.Vulkan
    }
    // Some frames go by first, each of which is another one.
    onFrameSwapped: {
        counter.x = ++frames
        if (frames === 10) {
            counter.visible = false
            contentItem.grabToImage(result => {
                const path = Qt.application.arguments[Qt.application.arguments.length - 1]
                console.log(result.saveToFile(path) ? "written, by Vulkan:" : "not written", counter.byVulkan)
                Qt.quit()
            })
        }
    }
}
