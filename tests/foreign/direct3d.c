/* SPDX-License-Identifier: MIT
 *
 * A program for Windows that draws off-screen by Direct3D 11 or 9, and says what it has drawn:
 *
 *   direct3d.exe 11|9
 */
#define COBJMACROS
#define INITGUID
#include <d3d11.h>
#include <d3d9.h>
#include <d3dcompiler.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = 128
};

static void expect(HRESULT result, const char *what)
{
    if (FAILED(result)) {
        printf("%s: %08lx\n", what, (unsigned long)result);
        exit(1);
    }
}

/* How many colours there are, and a number that other pixels would change. */
static void show(const char *what, const void *pixels, uint32_t pitch)
{
    static uint32_t seen[SIDE * SIDE];
    uint32_t hash = 0, colours = 0;
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        const uint8_t *row = (const uint8_t *)pixels + (size_t)(i / SIDE) * pitch;
        uint32_t pixel, known = 0;
        memcpy(&pixel, row + i % SIDE * 4, sizeof(pixel));
        hash = hash * 31 + pixel;
        while (known < colours && seen[known] != pixel)
            known++;
        if (known == colours)
            seen[colours++] = pixel;
    }
    printf("%s: %u colours, %08x\n", what, (unsigned)colours, (unsigned)hash);
}

/* ---- Direct3D 11: two shaders, vertices, a constant; the picture is copied to be read */

static const char shaders[] = "cbuffer C { float4 scale; };"
                              "struct V { float4 at : SV_Position; float4 colour : COLOR; };"
                              "V vertex(float4 at : POSITION, float4 colour : COLOR)"
                              "{ V v; v.at = at * scale; v.colour = colour; return v; }"
                              "float4 pixel(V v) : SV_Target { return v.colour; }";

static const float vertices[] = {
    -1, -1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, -1, 0, 1, 0, 0, 1, 1,
};

static ID3DBlob *compile(const char *entry, const char *target)
{
    ID3DBlob *code, *errors;
    expect(D3DCompile(shaders, sizeof(shaders) - 1, NULL, NULL, NULL, entry, target, 0, 0, &code,
                      &errors),
           entry);
    return code;
}

static ID3D11Buffer *make_buffer(ID3D11Device *device, const void *data, UINT size, UINT bind)
{
    const D3D11_BUFFER_DESC description = {.ByteWidth = size, .BindFlags = bind};
    const D3D11_SUBRESOURCE_DATA initial = {.pSysMem = data};
    ID3D11Buffer *buffer;
    expect(ID3D11Device_CreateBuffer(device, &description, &initial, &buffer), "CreateBuffer");
    return buffer;
}

static void set_up(ID3D11Device *device, ID3D11DeviceContext *context)
{
    static const float scale[] = {0.75f, 0.5f, 1, 1};
    static const D3D11_INPUT_ELEMENT_DESC inputs[] = {
        {"POSITION", 0, DXGI_FORMAT_R32G32B32A32_FLOAT, 0, 0, D3D11_INPUT_PER_VERTEX_DATA, 0},
        {"COLOR", 0, DXGI_FORMAT_R32G32B32A32_FLOAT, 0, 16, D3D11_INPUT_PER_VERTEX_DATA, 0},
    };
    ID3DBlob *code = compile("vertex", "vs_4_0");
    ID3D11VertexShader *vertex;
    ID3D11InputLayout *layout;
    expect(ID3D11Device_CreateVertexShader(device, ID3D10Blob_GetBufferPointer(code),
                                           ID3D10Blob_GetBufferSize(code), NULL, &vertex),
           "CreateVertexShader");
    expect(ID3D11Device_CreateInputLayout(device, inputs, 2, ID3D10Blob_GetBufferPointer(code),
                                          ID3D10Blob_GetBufferSize(code), &layout),
           "CreateInputLayout");
    code = compile("pixel", "ps_4_0");
    ID3D11PixelShader *pixel;
    expect(ID3D11Device_CreatePixelShader(device, ID3D10Blob_GetBufferPointer(code),
                                          ID3D10Blob_GetBufferSize(code), NULL, &pixel),
           "CreatePixelShader");
    ID3D11Buffer *points =
        make_buffer(device, vertices, sizeof(vertices), D3D11_BIND_VERTEX_BUFFER);
    ID3D11Buffer *constants = make_buffer(device, scale, sizeof(scale), D3D11_BIND_CONSTANT_BUFFER);
    const UINT stride = 32, offset = 0;
    ID3D11DeviceContext_IASetVertexBuffers(context, 0, 1, &points, &stride, &offset);
    ID3D11DeviceContext_IASetInputLayout(context, layout);
    ID3D11DeviceContext_IASetPrimitiveTopology(context, D3D11_PRIMITIVE_TOPOLOGY_TRIANGLELIST);
    ID3D11DeviceContext_VSSetShader(context, vertex, NULL, 0);
    ID3D11DeviceContext_VSSetConstantBuffers(context, 0, 1, &constants);
    ID3D11DeviceContext_PSSetShader(context, pixel, NULL, 0);
}

static void draw_11(void)
{
    static const float blue[] = {0.25f, 0.5f, 0.75f, 1};
    const D3D11_VIEWPORT viewport = {0, 0, SIDE, SIDE, 0, 1};
    D3D11_TEXTURE2D_DESC description = {
        .Width = SIDE,
        .Height = SIDE,
        .MipLevels = 1,
        .ArraySize = 1,
        .Format = DXGI_FORMAT_R8G8B8A8_UNORM,
        .SampleDesc = {1, 0},
        .BindFlags = D3D11_BIND_RENDER_TARGET,
    };
    ID3D11Device *device;
    ID3D11DeviceContext *context;
    ID3D11Texture2D *target, *copy;
    ID3D11RenderTargetView *view;
    D3D11_MAPPED_SUBRESOURCE mapped;
    expect(D3D11CreateDevice(NULL, D3D_DRIVER_TYPE_HARDWARE, NULL, 0, NULL, 0, D3D11_SDK_VERSION,
                             &device, NULL, &context),
           "D3D11CreateDevice");
    expect(ID3D11Device_CreateTexture2D(device, &description, NULL, &target), "CreateTexture2D");
    expect(ID3D11Device_CreateRenderTargetView(device, (ID3D11Resource *)target, NULL, &view),
           "CreateRenderTargetView");
    description.Usage = D3D11_USAGE_STAGING;
    description.BindFlags = 0;
    description.CPUAccessFlags = D3D11_CPU_ACCESS_READ;
    expect(ID3D11Device_CreateTexture2D(device, &description, NULL, &copy), "CreateTexture2D");
    set_up(device, context);
    ID3D11DeviceContext_RSSetViewports(context, 1, &viewport);
    ID3D11DeviceContext_OMSetRenderTargets(context, 1, &view, NULL);
    ID3D11DeviceContext_ClearRenderTargetView(context, view, blue);
    ID3D11DeviceContext_Draw(context, 3, 0);
    ID3D11DeviceContext_CopyResource(context, (ID3D11Resource *)copy, (ID3D11Resource *)target);
    expect(ID3D11DeviceContext_Map(context, (ID3D11Resource *)copy, 0, D3D11_MAP_READ, 0, &mapped),
           "Map");
    show("Direct3D 11", mapped.pData, mapped.RowPitch);
}

/* ---- Direct3D 9: rectangles, and one picture drawn into another, smoothed */

static void draw_9(void)
{
    IDirect3D9 *direct3d = Direct3DCreate9(D3D_SDK_VERSION);
    expect(direct3d ? S_OK : E_FAIL, "Direct3DCreate9");
    D3DPRESENT_PARAMETERS parameters = {
        .BackBufferWidth = SIDE,
        .BackBufferHeight = SIDE,
        .BackBufferFormat = D3DFMT_X8R8G8B8,
        .SwapEffect = D3DSWAPEFFECT_DISCARD,
        .hDeviceWindow = CreateWindowA("static", "", WS_OVERLAPPEDWINDOW, 0, 0, SIDE, SIDE, NULL,
                                       NULL, NULL, NULL),
        .Windowed = TRUE,
    };
    IDirect3DDevice9 *device;
    expect(IDirect3D9_CreateDevice(direct3d, D3DADAPTER_DEFAULT, D3DDEVTYPE_HAL,
                                   parameters.hDeviceWindow, D3DCREATE_HARDWARE_VERTEXPROCESSING,
                                   &parameters, &device),
           "CreateDevice");
    IDirect3DSurface9 *target, *small, *copy;
    expect(IDirect3DDevice9_CreateRenderTarget(device, SIDE, SIDE, D3DFMT_A8R8G8B8, 0, 0, FALSE,
                                               &target, NULL),
           "CreateRenderTarget");
    expect(IDirect3DDevice9_CreateRenderTarget(device, 4, 4, D3DFMT_A8R8G8B8, 0, 0, FALSE, &small,
                                               NULL),
           "CreateRenderTarget");
    expect(IDirect3DDevice9_CreateOffscreenPlainSurface(device, SIDE, SIDE, D3DFMT_A8R8G8B8,
                                                        D3DPOOL_SYSTEMMEM, &copy, NULL),
           "CreateOffscreenPlainSurface");
    for (LONG i = 0; i < 16; i++) {
        const RECT cell = {i % 4, i / 4, i % 4 + 1, i / 4 + 1};
        expect(IDirect3DDevice9_ColorFill(device, small, &cell, 0xff000000 + (DWORD)i * 0x0f1b07),
               "ColorFill");
    }
    const D3DRECT corner = {8, 8, 40, 24};
    const RECT rest = {16, 32, 112, 120};
    expect(IDirect3DDevice9_SetRenderTarget(device, 0, target), "SetRenderTarget");
    expect(IDirect3DDevice9_Clear(device, 0, NULL, D3DCLEAR_TARGET, 0xff204060, 1, 0), "Clear");
    expect(IDirect3DDevice9_Clear(device, 1, &corner, D3DCLEAR_TARGET, 0xffc08040, 1, 0), "Clear");
    expect(IDirect3DDevice9_StretchRect(device, small, NULL, target, &rest, D3DTEXF_LINEAR),
           "StretchRect");
    expect(IDirect3DDevice9_GetRenderTargetData(device, target, copy), "GetRenderTargetData");
    D3DLOCKED_RECT locked;
    expect(IDirect3DSurface9_LockRect(copy, &locked, NULL, D3DLOCK_READONLY), "LockRect");
    show("Direct3D 9", locked.pBits, (uint32_t)locked.Pitch);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "9") == 0)
        draw_9();
    else
        draw_11();
    fflush(stdout);
    return 0;
}
