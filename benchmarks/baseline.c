// The floor: the same n steps of forward, backward and AdaGrad in plain C, float32, for the compiler to make fast.
// Weights are row-major: W (m, m), V (K, m); U comes transposed, (K, m), so that a character's column is a row.
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void adagrad(float *theta, float *memory, const float *gradient, int n, float rate, float clip) {
    for (int i = 0; i < n; i++) {
        float g = fminf(fmaxf(gradient[i], -clip), clip);
        memory[i] += g * g;
        theta[i] -= rate * g / sqrtf(memory[i] + 1e-8f);
    }
}

void train(float *W, float *U, float *V, float *b, float *c, float *mW, float *mU, float *mV, float *mb, float *mc,
           float *h0, const unsigned short *codes, long step, long steps, double *losses, int K, int m, int T,
           long steps_per_epoch, float rate, float clip) {
    float *h = calloc((T + 1) * m, sizeof *h), *p = calloc(T * K, sizeof *p), *da = calloc((T + 1) * m, sizeof *da);
    float *dW = calloc(m * m, sizeof *dW), *dV = calloc(K * m, sizeof *dV), *dU = calloc(K * m, sizeof *dU);
    float *db = calloc(m, sizeof *db), *dc = calloc(K, sizeof *dc);
    for (long n = 0; n < steps; n++) {
        long start = (step + n) % steps_per_epoch * T;
        if (start == 0) memset(h0, 0, m * sizeof *h0);
        const unsigned short *x = codes + start, *y = x + 1;
        memcpy(h, h0, m * sizeof *h);
        double loss = 0;
        for (int t = 0; t < T; t++) {
            float *now = h + t * m, *next = now + m, *q = p + t * K;
            for (int i = 0; i < m; i++) {
                float a = b[i] + U[x[t] * m + i];
                for (int j = 0; j < m; j++) a += W[i * m + j] * now[j];
                next[i] = a;
            }
            for (int i = 0; i < m; i++) next[i] = tanhf(next[i]);
            float largest = -INFINITY, total = 0;
            for (int k = 0; k < K; k++) {
                float o = c[k];
                for (int j = 0; j < m; j++) o += V[k * m + j] * next[j];
                q[k] = o;
                largest = fmaxf(largest, o);
            }
            for (int k = 0; k < K; k++) total += q[k] = expf(q[k] - largest);
            for (int k = 0; k < K; k++) q[k] /= total;
            loss -= logf(q[y[t]]);
        }
        losses[n] = loss;

        memset(dW, 0, m * m * sizeof *dW);
        memset(dV, 0, K * m * sizeof *dV);
        memset(db, 0, m * sizeof *db);
        memset(dc, 0, K * sizeof *dc);
        memset(da + T * m, 0, m * sizeof *da);
        for (int t = 0; t < T; t++) memset(dU + x[t] * m, 0, m * sizeof *dU);
        for (int t = T - 1; t >= 0; t--) {
            float *now = da + t * m, *after = now + m, *q = p + t * K, *state = h + (t + 1) * m;
            q[y[t]] -= 1;
            memset(now, 0, m * sizeof *now);
            for (int k = 0; k < K; k++) {
                for (int j = 0; j < m; j++) now[j] += V[k * m + j] * q[k];
                for (int j = 0; j < m; j++) dV[k * m + j] += q[k] * state[j];
                dc[k] += q[k];
            }
            for (int i = 0; i < m; i++)
                for (int j = 0; j < m; j++) now[j] += W[i * m + j] * after[i];
            for (int j = 0; j < m; j++) now[j] *= 1 - state[j] * state[j];
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < m; j++) dW[i * m + j] += now[i] * h[t * m + j];
                db[i] += now[i];
                dU[x[t] * m + i] += now[i];
            }
        }
        memcpy(h0, h + T * m, m * sizeof *h0);
        adagrad(W, mW, dW, m * m, rate, clip);
        adagrad(V, mV, dV, K * m, rate, clip);
        adagrad(b, mb, db, m, rate, clip);
        adagrad(c, mc, dc, K, rate, clip);
        for (int t = 0; t < T; t++) {
            int seen = 0;
            for (int s = 0; s < t; s++) seen |= x[s] == x[t];
            if (!seen) adagrad(U + x[t] * m, mU + x[t] * m, dU + x[t] * m, m, rate, clip);
        }
    }
    free(h), free(p), free(da), free(dW), free(dV), free(dU), free(db), free(dc);
}
