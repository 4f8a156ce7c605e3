// The same n steps of forward, backward and AdaGrad in C, float32. The compiler can make them fast: it knows the sizes
// M, K and T, every row is padded with zeros to whole vectors, and -ffast-math allows tanh and exp of whole vectors.
// U is stored transposed, (K, M), so that a character's column is a row.
#include <math.h>
#include <string.h>

enum { MP = (M + 7) / 8 * 8, KP = (K + 7) / 8 * 8 };
typedef float units[MP] __attribute__((aligned(32)));
typedef float scores[KP] __attribute__((aligned(32)));
typedef struct { units W[M], U[K], V[K], b; scores c; } network;

static network params, memory, gradient;

static void adagrad(float *theta, float *memory, float *gradient, int n, float rate, float clip) {
    for (int i = 0; i < n; i++) {
        float g = fminf(fmaxf(gradient[i], -clip), clip);
        memory[i] += g * g;
        theta[i] -= rate * g / sqrtf(memory[i] + 1e-8f);
        gradient[i] = 0;
    }
}

void train(const float *W, const float *U, const float *V, const float *b, const float *c, const unsigned short *codes,
           double *losses, long steps, long steps_per_epoch, float rate, float clip) {
    static units h[T + 1], da[T + 1];
    static scores p[T];
    memset(&params, 0, sizeof params), memset(&memory, 0, sizeof memory), memset(&gradient, 0, sizeof gradient);
    for (int i = 0; i < M; i++) memcpy(params.W[i], W + i * M, M * sizeof *W);
    for (int k = 0; k < K; k++) memcpy(params.U[k], U + k * M, M * sizeof *U);
    for (int k = 0; k < K; k++) memcpy(params.V[k], V + k * M, M * sizeof *V);
    memcpy(params.b, b, M * sizeof *b), memcpy(params.c, c, K * sizeof *c);
    for (long n = 0; n < steps; n++) {
        long start = n % steps_per_epoch * T;
        const unsigned short *x = codes + start, *y = x + 1;
        memcpy(h[0], h[T], sizeof h[0]);
        if (start == 0) memset(h[0], 0, sizeof h[0]);
        double loss = 0;
        for (int t = 0; t < T; t++) {
            for (int i = 0; i < M; i++) {
                float a = params.b[i] + params.U[x[t]][i];
                for (int j = 0; j < MP; j++) a += params.W[i][j] * h[t][j];
                h[t + 1][i] = a;
            }
            for (int i = 0; i < MP; i++) h[t + 1][i] = tanhf(h[t + 1][i]);
            float largest = -INFINITY, total = 0;
            for (int k = 0; k < K; k++) {
                float o = params.c[k];
                for (int j = 0; j < MP; j++) o += params.V[k][j] * h[t + 1][j];
                p[t][k] = o;
                largest = fmaxf(largest, o);
            }
            for (int k = 0; k < K; k++) total += p[t][k] = expf(p[t][k] - largest);
            for (int k = 0; k < K; k++) p[t][k] /= total;
            loss -= logf(p[t][y[t]]);
        }
        losses[n] = loss;

        for (int t = T - 1; t >= 0; t--) { // da[T] stays zero
            p[t][y[t]] -= 1;
            memset(da[t], 0, sizeof da[t]);
            for (int k = 0; k < K; k++) {
                for (int j = 0; j < MP; j++) da[t][j] += params.V[k][j] * p[t][k];
                for (int j = 0; j < MP; j++) gradient.V[k][j] += p[t][k] * h[t + 1][j];
                gradient.c[k] += p[t][k];
            }
            for (int i = 0; i < M; i++)
                for (int j = 0; j < MP; j++) da[t][j] += params.W[i][j] * da[t + 1][i];
            for (int j = 0; j < MP; j++) da[t][j] *= 1 - h[t + 1][j] * h[t + 1][j];
            for (int i = 0; i < M; i++)
                for (int j = 0; j < MP; j++) gradient.W[i][j] += da[t][i] * h[t][j];
            for (int i = 0; i < MP; i++) gradient.b[i] += da[t][i];
            for (int i = 0; i < MP; i++) gradient.U[x[t]][i] += da[t][i];
        }
        adagrad(params.W[0], memory.W[0], gradient.W[0], M * MP, rate, clip);
        adagrad(params.V[0], memory.V[0], gradient.V[0], K * MP, rate, clip);
        adagrad(params.b, memory.b, gradient.b, MP, rate, clip);
        adagrad(params.c, memory.c, gradient.c, KP, rate, clip);
        for (int t = 0; t < T; t++) // one that comes twice has a gradient of zero the second time
            adagrad(params.U[x[t]], memory.U[x[t]], gradient.U[x[t]], MP, rate, clip);
    }
}
